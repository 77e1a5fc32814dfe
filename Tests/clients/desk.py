"""An agent and approvers without clients between: raw calls at the gate's port and its two unix sockets, under any uid."""

import encodings.idna  # noqa: F401  loaded while its folder can still be read: see `as_uid`
import http.client
import json
import os
import pickle
import socket
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

TABLE = "quick-orders"
CLIENT_SECONDS = 20


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code, in either form; empty for an answer from upstream."""
        if self.headers.get("x-countersign-code"):
            return self.headers["x-countersign-code"]
        return self.json["error"]["code"] if b'"error"' in self.body else ""


def delete_body(key: str, table: str = TABLE) -> bytes:
    return json.dumps({"TableName": table, "Key": {"id": {"S": key}}}).encode()


def delete(port: int, key: str = "o-1", invocation: str | None = None, table: str = TABLE,
           seconds: float = CLIENT_SECONDS, headers: dict[str, str] | None = None) -> Reply:
    """One attempt of a DeleteItem; a new invocation each time unless it is named."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("POST", "/", delete_body(key, table), {
            "X-Amz-Target": "DynamoDB_20120810.DeleteItem", "Content-Type": "application/x-amz-json-1.0",
            "amz-sdk-invocation-id": invocation or str(uuid.uuid4()), **(headers or {})})
        answer = connection.getresponse()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, seconds: float):
        super().__init__("localhost", timeout=seconds)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def ask(path: Path, method: str, target: str, body=None, headers: dict[str, str] | None = None,
        seconds: float = 30) -> Reply:
    """One request on a unix socket; `body` goes as JSON."""
    connection = _UnixConnection(path, seconds)
    try:
        raw = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, target, raw, kind | (headers or {}))
        answer = connection.getresponse()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def show(control: Path, approval: str) -> dict:
    return ask(control, "GET", f"/v1/approvals/{approval}").json


def review(control: Path, approval: str, verdict: str = "approve", nonce: str | None = None, **more) -> Reply:
    """Shows the card and answers it, or answers with a nonce from elsewhere."""
    quoted = nonce or show(control, approval).get("nonce")
    return ask(control, "POST", f"/v1/approvals/{approval}/review", {"nonce": quoted, "verdict": verdict, **more})


def waiting(control: Path) -> list[dict]:
    return ask(control, "GET", "/v1/inbox").json["approvals"]


def as_uid(uid: int, function, *arguments, groups: tuple[int, ...] = ()):
    """What `function(*arguments)` gives or raises in a process of `uid`, which is in `groups` beside its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            os.setgroups(list(groups))
            os.setgid(uid)
            os.setuid(uid)
            result = (True, function(*arguments))
        except BaseException as error:  # noqa: BLE001  handed to the parent
            result = (False, error)
        with os.fdopen(write, "wb") as sink:
            sink.write(pickle.dumps(result))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as source:
        raw = source.read()
    os.waitpid(child, 0)
    is_well, value = pickle.loads(raw)
    if not is_well:
        raise value
    return value


def open_folder() -> Path:
    """A folder that other uids may pass through, as pytest's own may not be."""
    folder = Path(tempfile.mkdtemp(prefix="countersign-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def build_faults(folder: Path) -> Path:
    """Compiles shim/faults.c."""
    source = Path(__file__).parent / "shim/faults.c"
    library = folder / "faults.so"
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O2", "-o", str(library), str(source),
                    "-ldl"], check=True)
    return library
