"""HTTP/1.1 requests, read strictly from the raw bytes of a socket.

The verifier stands where AWS stands, so it must see exactly what left the gate: no HTTP library, nothing folded,
trimmed twice, merged or repaired. What is not plainly right raises `Malformed`.
"""

import re
from dataclasses import dataclass, field

HEAD_LIMIT_BYTES = 64 * 1024
BODY_LIMIT_BYTES = 11 * 1024 * 1024  # parts are at most 10 MiB

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_TARGET = re.compile(rb"/[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*\Z")  # RFC 3986 path and query, nothing raw beside
_LENGTH = re.compile(rb"(0|[1-9][0-9]{0,12})\Z")
# The requests of a gateway need none of these; each one is a way to be read differently by two parties.
FORBIDDEN = {
    "connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate", "te", "trailer",
    "transfer-encoding", "upgrade", "expect", "forwarded", "x-original-url", "x-rewrite-url",
    "x-http-method-override", "x-http-method", "x-method-override", "via", "cookie",
}
FORBIDDEN_PREFIXES = ("x-forwarded-", "x-countersign-")
# Everything else may not repeat either, but these are named apart in the message.
SINGLETONS = {"host", "content-length", "content-type", "authorization", "x-amz-date", "x-amz-content-sha256",
              "x-amz-security-token", "x-amz-target"}


class Malformed(Exception):
    """The bytes are not a request that a gateway may send; the text says why."""


class Cut(Malformed):
    """The connection ended inside a request: the gate was killed, or it broke its own framing."""


@dataclass
class Request:
    """One request as it arrived. Header names are lower-cased, values are as sent, without outer blanks."""

    method: str
    target: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    raw_head: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        for key, value in self.headers:
            if key == name:
                return value
        return None


def parse_head(head: bytes) -> Request:
    """The request of `head`, which ends with an empty line."""
    if not head.endswith(b"\r\n\r\n"):
        raise Malformed("head does not end with an empty line")
    lines = head[:-4].split(b"\r\n")
    for line in lines:
        if b"\r" in line or b"\n" in line or b"\0" in line:
            raise Malformed("bare CR, LF or NUL in the head")
    parts = lines[0].split(b" ")
    if len(parts) != 3:
        raise Malformed(f"request line {lines[0]!r}")
    method, target, version = parts
    if version != b"HTTP/1.1":
        raise Malformed(f"version {version!r}")
    if method not in (b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"PATCH", b"OPTIONS"):
        raise Malformed(f"method {method!r}")
    if not _TARGET.match(target):
        raise Malformed(f"target {target!r}")
    path, _, query = target.decode("ascii").partition("?")
    if re.search(r"%(?![0-9A-Fa-f]{2})", target.decode("ascii")):
        raise Malformed(f"bad percent escape in {target!r}")
    request = Request(method.decode(), target.decode(), path, query, _fields(lines[1:]), raw_head=head)
    _check_fields(request)
    return request


def _fields(lines: list[bytes]) -> list[tuple[str, str]]:
    fields = []
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            raise Malformed("folded header line")
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.match(name):
            raise Malformed(f"header line {line[:80]!r}")
        value = value.strip(b" \t")
        if any(byte < 0x20 and byte != 0x09 or byte == 0x7F for byte in value):
            raise Malformed(f"control byte in header {name!r}")
        # One character a byte: what was sent is what is signed.
        fields.append((name.decode("ascii").lower(), value.decode("latin-1")))
    return fields


def _check_fields(request: Request) -> None:
    names = [name for name, _ in request.headers]
    for name in names:
        if names.count(name) > 1:
            kind = "singleton header" if name in SINGLETONS else "header"
            raise Malformed(f"duplicate {kind} {name}")
        if name in FORBIDDEN or name.startswith(FORBIDDEN_PREFIXES):
            raise Malformed(f"header {name} must not reach the upstream")
    if "host" not in names:
        raise Malformed("no host header")
    length = request.header("content-length")
    if length is not None and not _LENGTH.match(length.encode("latin-1")):
        raise Malformed(f"content-length {length!r}")
    if length is not None and int(length) > BODY_LIMIT_BYTES:
        raise Malformed(f"content-length {length} over {BODY_LIMIT_BYTES}")
    if length is None and request.method in ("PUT", "POST", "PATCH"):
        raise Malformed(f"{request.method} without content-length")


class Connection:
    """Reads requests one after another from a socket; pipelined bytes stay for the next."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def read_head(self) -> bytes | None:
        """The next head with its empty line; None when the peer closed between two requests."""
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > HEAD_LIMIT_BYTES:
                raise Malformed("head over 64 KiB")
            chunk = self._receive(65536)
            if not chunk:
                if self.buffer:
                    raise Cut(f"inside a head: {self.buffer[:120]!r}")
                return None
            self.buffer += chunk
        end = self.buffer.index(b"\r\n\r\n") + 4
        head, self.buffer = self.buffer[:end], self.buffer[end:]
        return head

    def read_body(self, length: int) -> bytes:
        """Exactly `length` bytes."""
        parts = [self.buffer[:length]]
        have = len(parts[0])
        self.buffer = self.buffer[length:]
        while have < length:
            chunk = self._receive(min(1 << 20, length - have))
            if not chunk:
                raise Cut(f"after {have} of {length} body bytes")
            parts.append(chunk)
            have += len(chunk)
        return b"".join(parts)

    def _receive(self, limit: int) -> bytes:
        try:
            return self.sock.recv(limit)
        except ConnectionError:
            return b""
