"""What the benchmark measures with: the calls, the TLS upstream, nginx as the unsigned peer, and the gate's policies."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from gate import GATEWAY_KEYS, Gate
from stand import ACCOUNT, REPOSITORY, Process, free_port, wait_port
from verifier import make_tls

#: DynamoDB's answer to GetItem, about 400 bytes
ITEM = json.dumps({"Item": {
    "id": {"S": "o-91"}, "customer": {"S": "c-1207"}, "state": {"S": "paid"}, "total": {"N": "129.90"},
    "lines": {"L": [{"M": {"sku": {"S": f"sku-{n}"}, "count": {"N": str(n)}}} for n in range(5)]}}})

ALLOWS = f"""\
Countersign: 1
Id: bench
Agents: ["*"]
Statement:
  - Sid: Reads
    Effect: Allow
    Action: [dynamodb:GetItem, s3:GetObject]
    Resource: ["arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/orders", "arn:aws:s3:::orders/*"]
"""


@dataclass
class Call:
    """One request, as the AWS CLI sends it without signing."""

    method: str
    target: str
    fields: dict[str, str]
    body: bytes = b""
    #: the gate's own path, where a bare endpoint cannot tell the service
    prefix: str = ""

    def path(self, who: str) -> str:
        return (self.prefix if who == "gate" else "") + self.target

    def script(self, folder: Path) -> Path:
        """The call as a wrk script that says what it saw on its last line."""
        fields = "\n".join(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in self.fields.items())
        body = f"wrk.body = {json.dumps(self.body.decode())}\n" if self.body else ""
        path = folder / f"{self.method}-{len(self.body)}.lua"
        path.write_text(
            f'wrk.method = "{self.method}"\n{body}{fields}\n'
            "done = function(summary, latency, requests)\n"
            "    local errors = summary.errors\n"
            '    print(string.format(\'{"calls": %d, "errors": %d, "p50": %d, "p99": %d}\', summary.requests,\n'
            "        errors.connect + errors.read + errors.write + errors.status + errors.timeout,\n"
            "        latency:percentile(50), latency:percentile(99)))\n"
            "end\n")
        return path


COMMON = {
    "User-Agent": "aws-cli/2.27.0 md/awscrt#0.26.1 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.13.2 md/pyimpl#CPython",
    "Accept-Encoding": "identity", "amz-sdk-invocation-id": "6a1f5e0c-9d4b-4f8e-8d0a-2f7b7e3c1a55",
    "amz-sdk-request": "attempt=1; max=5",
}
CALLS = {
    "GetItem": Call("POST", "/", COMMON | {
        "X-Amz-Target": "DynamoDB_20120810.GetItem", "Content-Type": "application/x-amz-json-1.0",
    }, json.dumps({
        "TableName": "orders", "Key": {"id": {"S": "o-91"}}, "ConsistentRead": True,
        "ProjectionExpression": "#i, customer, #s, total, lines[0], lines[1], lines[2], lines[3]",
        "ExpressionAttributeNames": {"#i": "id", "#s": "state"}, "ReturnConsumedCapacity": "NONE",
    }).encode()),
    "S3 GET": Call("GET", "/orders/2026/11/o-91.json", COMMON, prefix="/_aws/s3/us-east-1"),
}


class Server:
    """An nginx of our own: one process, no logs, everything in `folder`."""

    def __init__(self, folder: Path, name: str, http: str):
        self.folder, self.name, self.port = folder, name, free_port()
        self.process: Process | None = None
        self.configuration = folder / f"{name}.conf"
        temporary = " ".join(f"{kind}_temp_path {folder}/{name}-{kind};" for kind in
                             ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.configuration.write_text(
            f"daemon off; master_process off; pid {folder}/{name}.pid; error_log {folder}/{name}.err warn;\n"
            "events { worker_connections 4096; }\n"
            f"http {{ access_log off; server_tokens off; tcp_nodelay on; keepalive_requests 1000000000; {temporary}\n"
            f"{http.replace('PORT', str(self.port))}\n}}\n")

    def launch(self) -> Process:
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = Process([nginx, "-e", str(self.folder / f"{self.name}.err"), "-p", str(self.folder), "-c",
                                str(self.configuration)], {}, self.folder / f"{self.name}.txt")
        return self.process

    def start(self) -> None:
        wait_port(self.port, self.launch())

    def stop(self) -> None:
        self.process.stop()
        self.process = None

    @property
    def pid(self) -> int:
        return self.process.child.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Upstream(Server):
    """AWS's place: TLS 1.3, refuses whatever does not carry the gateway's key; a second port for nginx, which signs not."""

    def __init__(self, folder: Path):
        self.open_port = free_port()
        _, self.trust = make_tls(folder)
        chain = self.trust.parent / "verifier.pem"
        answer = (f"default_type application/x-amz-json-1.0; add_header x-amzn-RequestId $request_id;\n"
                  f"location / {{ return 200 '{ITEM}'; }}")
        tls = (f"ssl_certificate {chain}; ssl_certificate_key {chain}; ssl_protocols TLSv1.3; keepalive_timeout 300s;")
        signed = f'if ($http_authorization !~ "^AWS4-HMAC-SHA256 Credential={GATEWAY_KEYS.access_key}/") {{ return 403; }}'
        super().__init__(folder, "upstream", (
            f"server {{ listen 127.0.0.1:PORT ssl backlog=1024; {tls} {signed} {answer} }}\n"
            f"server {{ listen 127.0.0.1:{self.open_port} ssl backlog=1024; {tls} {answer} }}"))


def start_upstream(folder: Path) -> Upstream:
    upstream = Upstream(folder)
    upstream.start()
    return upstream


class Nginx(Server):
    """`proxy_pass` with everything a fair peer needs: kept connections, verified certificate, nothing on disk."""

    def __init__(self, folder: Path, upstream: Upstream):
        super().__init__(folder, "peer", (
            f"upstream up {{ server 127.0.0.1:{upstream.open_port}; keepalive 1024; keepalive_requests 1000000000; }}\n"
            "server { listen 127.0.0.1:PORT backlog=1024;\n"
            "location / { proxy_pass https://up; proxy_http_version 1.1; proxy_set_header Connection '';\n"
            "proxy_set_header Host localhost; proxy_ssl_name localhost; proxy_ssl_verify on;\n"
            f"proxy_ssl_trusted_certificate {upstream.trust}; proxy_ssl_protocols TLSv1.3;\n"
            "proxy_request_buffering off; proxy_max_temp_file_size 0; proxy_buffer_size 64k; proxy_buffers 8 64k;\n"
            "proxy_busy_buffers_size 128k; } }"))


class BenchGate(Gate):
    """The gate as it is sold: the policies we ship and one Allow, the log on, real signatures, verified TLS."""

    def launch(self) -> Process:
        self.process = Process(self.command(), self.environment(), self.folder / "gate.txt")
        return self.process


def bench_gate(folder: Path, upstream: Upstream) -> BenchGate:
    state = folder / "gate"
    state.mkdir(mode=0o700)
    gate = BenchGate(state, f"https://127.0.0.1:{upstream.port}", options=("--ca-bundle", str(upstream.trust)))
    shipped = {path.stem: path.read_text() for path in (REPOSITORY / "policies").glob("*.yaml")}
    gate.write_policies(**shipped, bench=ALLOWS)
    return gate
