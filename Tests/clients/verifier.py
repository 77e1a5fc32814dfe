"""A strict SigV4 verifier that stands where AWS stands, in front of moto or a canned answer.

It reads raw bytes, checks every signature with the gateway's known keys, refuses (403) and notes as a *violation*
whatever a gateway must not send, and holds the list of requests that a journey expects. It never reads the gate's log
and shares no code with the gate: what it says arrived is what left.
"""

import datetime
import hashlib
import http.client
import ipaddress
import itertools
import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import sigv4check
from expectations import Expectation, operation_of, service_of
from rawhttp import Connection, Cut, Malformed, Request, parse_head

KEPT_BODY_BYTES = 1 << 20
Answer = tuple[int, list[tuple[str, str]], bytes]
Responder = Callable[[Request], Answer]


@dataclass
class Arrival:
    """One request that reached the upstream, as the verifier saw it."""

    number: int
    at: float
    connection: int
    method: str = ""
    path: str = ""
    query: str = ""
    service: str = ""
    region: str = ""
    operation: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    body_bytes: int = 0
    body_sha256: str = ""
    invocation: str | None = None
    access_key: str = ""
    violations: list[str] = field(default_factory=list)
    expectation: str | None = None
    status: int | None = None

    def __str__(self) -> str:
        query = "?" + self.query if self.query else ""
        return (f"#{self.number} {self.service}:{self.operation} {self.method} {self.path}{query} "
                f"({self.body_bytes} bytes, {self.expectation or 'not expected'})")


@dataclass
class Fault:
    """What to do to one request in place of answering it as usual.

    `kind`: `delay` (wait `seconds`, then serve), `close` (close after reading, no reply, not forwarded), `lose`
    (forward, then close without a reply), `partial` (begin a status line, then close), `status` (answer `code`, not
    forwarded), `never` (keep silent until stopped), `raw` (send `data`), `idle-close` (serve, then close the idle
    connection after `seconds`).
    """

    kind: str
    seconds: float = 0.0
    code: int = 500
    data: bytes = b""
    times: int = 1
    matches: Callable[[Arrival], bool] = lambda arrival: True


class Verifier:
    """The server. Use as a context manager, or `start` and `stop`."""

    def __init__(self, keys: sigv4check.Keys | Callable[[str], sigv4check.Keys], moto: tuple[str, int] | None = None, responder: Responder | None = None,
                 regions: tuple[str, ...] = ("us-east-1",), tls_folder: Path | None = None):
        self.keys, self.moto, self.responder, self.regions = keys, moto, responder, set(regions)
        self.arrivals: list[Arrival] = []
        self.expectations: list[Expectation] = []
        self.faults: list[Fault] = []
        self.ca_file: Path | None = None
        self._lock = threading.Condition()
        self._busy = 0
        self._stopping = threading.Event()
        self._numbers, self._connections = itertools.count(1), itertools.count(1)
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self._tls = None
        if tls_folder is not None:
            self._tls, self.ca_file = make_tls(tls_folder)
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    # What a journey says and asks.

    def expect(self, name: str, *, times: int | None = None, least: int = 1, most: int = 1, **matchers) -> None:
        """Declares requests that may arrive. Must come before the first arrival."""
        with self._lock:
            if self.arrivals:
                raise AssertionError("expectations are written before the run")
            if times is not None:
                least = most = times
            self.expectations.append(Expectation(name, least, most, **matchers))

    def fault(self, kind: str, **options) -> Fault:
        fault = Fault(kind, **options)
        with self._lock:
            self.faults.append(fault)
        return fault

    def seen(self, name: str | None = None) -> list[Arrival]:
        """What arrived, all or for one expectation."""
        with self._lock:
            return [a for a in self.arrivals if name is None or a.expectation == name]

    def wait_seen(self, name: str, count: int, seconds: float = 10) -> list[Arrival]:
        """Waits until `count` requests of one expectation have arrived."""
        deadline = time.monotonic() + seconds
        with self._lock:
            while sum(a.expectation == name for a in self.arrivals) < count:
                if not self._lock.wait(max(0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    break
        found = self.seen(name)
        assert len(found) >= count, f"{name}: {len(found)} of {count} arrived"
        return found

    def violations(self) -> list[str]:
        with self._lock:
            return [f"{arrival}: {violation}" for arrival in self.arrivals for violation in arrival.violations]

    def assert_expected(self) -> None:
        """Proves that what was declared arrived, as often as declared, rightly signed, and nothing else did."""
        deadline = time.monotonic() + 5
        with self._lock:
            while self._busy and time.monotonic() < deadline:
                self._lock.wait(0.05)
            problems = [f"violation in {a}: {v}" for a in self.arrivals for v in a.violations]
            problems += [f"unexpected: {a}" for a in self.arrivals if a.expectation is None]
            for expected in self.expectations:
                if not expected.least <= expected.seen <= expected.most:
                    problems.append(f"{expected.name}: arrived {expected.seen} times, "
                                    f"expected {expected.least} to {expected.most}")
            count = len(self.arrivals)
        assert not problems, f"{len(problems)} problems with {count} arrivals:\n" + "\n".join(problems)

    # The server.

    def start(self) -> "Verifier":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self) -> None:
        self._stopping.set()
        # A blocked accept does not notice a close; a shutdown wakes it.
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        with self._lock:
            for sock in list(self._sockets):
                _close(sock)

    def __enter__(self) -> "Verifier":
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sockets.add(sock)
                number = next(self._connections)
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        raw = sock
        try:
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
            connection = Connection(sock)
            while self._serve_one(connection, number):
                pass
        except OSError:
            pass  # the peer went away: what arrived is already noted
        finally:
            with self._lock:
                self._sockets.discard(raw)
            _close(sock)

    def _serve_one(self, connection: Connection, number: int) -> bool:
        """Reads, notes and answers one request. False when the connection is done."""
        arrival = Arrival(next(self._numbers), time.time(), number)
        try:
            head = connection.read_head()
            if head is None:
                return False
            with self._lock:
                self._busy += 1
            try:
                request = parse_head(head)
                request.body = connection.read_body(int(request.header("content-length") or 0))
                return self._answer(connection.sock, arrival, request)
            finally:
                with self._lock:
                    self._busy -= 1
                    self._lock.notify_all()
        except Malformed as malformed:
            kind = "cut" if isinstance(malformed, Cut) else "malformed"
            arrival.violations.append(f"{kind}: {malformed}")
            self._note(arrival, None)
            connection.sock.sendall(_reply((400, [("Connection", "close")], str(malformed).encode())))
            return False

    def _answer(self, sock: socket.socket, arrival: Arrival, request: Request) -> bool:
        self._describe(arrival, request)
        arrival.violations += sigv4check.check(request, self._keys_of(arrival), self.regions, arrival.service)
        self._note(arrival, request)
        if arrival.violations:
            arrival.status = 403
            text = "; ".join(arrival.violations)
            sock.sendall(_reply((403, [], json.dumps({"__type": "VerifierRefused", "message": text}).encode()),
                                request.method))
            return True
        fault = self._fault_for(arrival)
        if fault and fault.kind not in ("delay", "idle-close", "lose"):
            return self._misbehave(sock, arrival, fault)
        if fault and fault.kind == "delay":
            self._stopping.wait(fault.seconds)
        answer = self.responder(request) if self.responder else self._forward(request)
        arrival.status = answer[0]
        if fault and fault.kind == "lose":
            return False
        sock.sendall(_reply(answer, request.method))
        if fault and fault.kind == "idle-close":
            self._stopping.wait(fault.seconds)
            return False
        return True

    def _keys_of(self, arrival: Arrival) -> sigv4check.Keys:
        """The gateway's keys; where they are many, those of the access key id that signed."""
        return self.keys(arrival.access_key) if callable(self.keys) else self.keys

    def _describe(self, arrival: Arrival, request: Request) -> None:
        arrival.method, arrival.path, arrival.query = request.method, request.path, request.query
        arrival.headers = request.headers
        arrival.body = request.body[:KEPT_BODY_BYTES]
        arrival.body_bytes = len(request.body)
        arrival.body_sha256 = hashlib.sha256(request.body).hexdigest()
        arrival.invocation = request.header("amz-sdk-invocation-id")
        try:
            arrival.service, arrival.operation = service_of(request), operation_of(request)
        except ValueError as error:
            raise Malformed(f"body: {error}") from error
        scope = sigv4check.read_scope(request)
        if not isinstance(scope, str):
            arrival.region, arrival.access_key = scope.region, scope.access_key

    def _note(self, arrival: Arrival, request: Request | None) -> None:
        """Writes the arrival down, before anything is answered or forwarded."""
        with self._lock:
            if request is not None:
                fitting = [e for e in self.expectations if e.matches(request, arrival.service, arrival.region)]
                # The first that still has room; else the first, so that the count tells the excess.
                chosen = next((e for e in fitting if e.seen < e.most), fitting[0] if fitting else None)
                if chosen:
                    chosen.seen += 1
                    arrival.expectation = chosen.name
            self.arrivals.append(arrival)
            self._lock.notify_all()

    def _fault_for(self, arrival: Arrival) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and fault.matches(arrival):
                    fault.times -= 1
                    return fault
        return None

    def _misbehave(self, sock: socket.socket, arrival: Arrival, fault: Fault) -> bool:
        if fault.kind == "status":
            arrival.status = fault.code
            body = json.dumps({"__type": "InternalServerError", "message": "a fault of the test"}).encode()
            sock.sendall(_reply((fault.code, [("Content-Type", "application/x-amz-json-1.0")], body), arrival.method))
            return True
        if fault.kind == "never":
            self._stopping.wait()
        elif fault.kind == "partial":
            sock.sendall(b"HTTP/1.1 2")
        elif fault.kind == "raw":
            sock.sendall(fault.data)
        elif fault.kind != "close":
            raise AssertionError(f"unknown fault {fault.kind}")
        return False

    def _forward(self, request: Request) -> Answer:
        """Hands the request to moto as it came and brings the whole answer back."""
        assert self.moto, "no moto behind this verifier"
        with socket.create_connection(self.moto, timeout=60) as upstream:
            head = request.raw_head[:-2] + b"Connection: close\r\n\r\n"
            upstream.sendall(head)
            upstream.sendall(request.body)
            response = http.client.HTTPResponse(upstream, method=request.method)
            response.begin()
            body = response.read()
            length = response.getheader("Content-Length")
            dropped = {"connection", "transfer-encoding", "content-length", "server", "date", "keep-alive"}
            headers = [(n, v) for n, v in response.getheaders() if n.lower() not in dropped]
            if request.method == "HEAD" and length is not None:
                headers.append(("Content-Length", length))
            return response.status, headers, body


def _reply(answer: Answer, method: str = "GET") -> bytes:
    status, headers, body = answer
    lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    named = {name.lower() for name, _ in headers}
    if "x-amzn-requestid" not in named and "x-amz-request-id" not in named:
        lines.append(f"x-amzn-RequestId: verifier-{time.time_ns()}")
    if method == "HEAD":
        body = b""
        if "content-length" not in named:
            lines.append("Content-Length: 0")
    elif status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines + ["", ""]).encode("latin-1") + body


def _close(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()


def make_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A CA and a certificate for 127.0.0.1 and localhost, made anew in `folder`; the context to serve with and the CA's file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.timezone.utc)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, n)]) for n in ("verifier test CA", "127.0.0.1")]

    def build(index: int) -> x509.CertificateBuilder:
        return (x509.CertificateBuilder().subject_name(names[index]).issuer_name(names[0])
                .public_key(keys[index].public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(days=1))
                .add_extension(x509.BasicConstraints(ca=index == 0, path_length=None), critical=True))

    ca = build(0).sign(keys[0], hashes.SHA256())
    # By name too: nginx, the benchmark's peer, compares names only.
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    leaf = build(1).add_extension(here, critical=False).sign(keys[0], hashes.SHA256())
    ca_file, chain_file = folder / "ca.pem", folder / "verifier.pem"
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    chain_file.write_bytes(
        keys[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                              serialization.NoEncryption()) + leaf.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain_file)
    return context, ca_file
