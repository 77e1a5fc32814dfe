"""Stand-ins for what hands out credentials: IMDS, the agents of ECS and EKS, the portal of IAM Identity Center."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

IMDS_TOKEN = "imds-token-canary=="


class Metadata:
    """One loopback server that plays all of them; `keys` is what it gives, `fault` what goes wrong.

    `fault`: None, or a function of the request's handler that answers in its place (True: it did).
    """

    def __init__(self, keys: dict | None = None):
        self.keys = keys or {}
        self.fault = None
        self.authorization: str | None = None
        self.sso_token: str | None = None
        self.seen: list[tuple[str, str, dict]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.serve()

            def do_PUT(self):
                self.serve()

            def serve(self):
                fields = {name.lower(): value for name, value in self.headers.items()}
                outer.seen.append((self.command, self.path, fields))
                if outer.fault and outer.fault(self):
                    return
                status, body = outer.answer(self.command, self.path, fields)
                self.reply(status, body)

            def reply(self, status: int, body: bytes, fields: dict | None = None):
                self.send_response(status)
                for name, value in (fields or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self) -> "Metadata":
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, method: str, path: str, fields: dict) -> tuple[int, bytes]:
        keys, base = self.keys, "/latest/meta-data/iam/security-credentials/"
        if path == "/latest/api/token":
            if method != "PUT" or "x-aws-ec2-metadata-token-ttl-seconds" not in fields or "x-forwarded-for" in fields:
                return 400, b""
            return 200, IMDS_TOKEN.encode()
        if path.startswith("/latest/"):
            # Version 1, which has no token, is off.
            if fields.get("x-aws-ec2-metadata-token") != IMDS_TOKEN:
                return 401, b""
            if path == base:
                return 200, b"gateway-role"
            return (200, metadata_json(keys)) if path == base + "gateway-role" else (404, b"")
        if path == "/ecs":
            if self.authorization and fields.get("authorization") != self.authorization:
                return 401, b""
            return 200, metadata_json(keys)
        url = urlsplit(path)
        if url.path == "/federation/credentials":
            query = parse_qs(url.query)
            if fields.get("x-amz-sso_bearer_token") != self.sso_token:
                return 401, json.dumps({"message": "Session token not found or invalid"}).encode()
            if query != {"role_name": ["Gateway"], "account_id": ["123456789012"]}:
                return 404, b"{}"
            return 200, json.dumps({"roleCredentials": {
                "accessKeyId": keys["AccessKeyId"], "secretAccessKey": keys["SecretAccessKey"],
                "sessionToken": keys["Token"], "expiration": int(keys["end"] * 1000)}}).encode()
        return 404, b""


def metadata_json(keys: dict) -> bytes:
    shown = {name: value for name, value in keys.items() if name != "end"}
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(keys["end"]))
    return json.dumps({"Code": "Success", "Type": "AWS-HMAC", "Expiration": end} | shown).encode()
