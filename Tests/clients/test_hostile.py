"""Hostile HTTP on raw sockets: refused, closed where framing is in doubt, and nothing reaches the upstream.

Each request would pass if its fault were overlooked: the call it carries is allowed.
"""

import re
import socket
import time

import pytest

from test_services import KEY, TABLE

BODY = b'{"TableName":"journey-orders","Key":{"id":{"S":"o-91"}}}'
HEAD = (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n"
        b"Content-Type: application/x-amz-json-1.0\r\n")
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
GOOD = HEAD + LENGTH + b"\r\n" + BODY
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n" % len(BODY) + BODY + b"\r\n"


def counted(*lines: bytes) -> bytes:
    """The good request with further header lines."""
    return HEAD + LENGTH + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + BODY


def length(value: bytes) -> bytes:
    return HEAD + b"Content-Length:" + value + b"\r\n\r\n" + BODY


def coded(value: bytes) -> bytes:
    return HEAD + b"Transfer-Encoding: " + value + b"\r\n\r\n" + CHUNK + b"0\r\n\r\n"


def target(value: bytes) -> bytes:
    return GOOD.replace(b"POST / ", b"POST " + value + b" ", 1)


def get(value: bytes) -> bytes:
    """An S3 read, whose path is free; the region and service come from nothing else."""
    return b"GET " + value + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


# THREATS 1, first item: 400 and the connection is closed.
FRAMING = {
    "length with chunked": HEAD + LENGTH + CHUNKED + CHUNK + b"0\r\n\r\n",
    "chunked with length": HEAD + b"Transfer-Encoding: chunked\r\n" + LENGTH + b"\r\n" + CHUNK + b"0\r\n\r\n",
    "two equal lengths": counted(LENGTH[:-2]),
    "two lengths": counted(b"Content-Length: 5"),
    "a plus": length(b" +%d" % len(BODY)), "a minus": length(b" -1"), "hexadecimal": length(b" 0x%x" % len(BODY)),
    "a list": length(b" %d, %d" % (len(BODY), len(BODY))), "empty": length(b""), "a blank": length(b" "),
    "a leading zero": length(b" 0%d" % len(BODY)), "overflow": length(b" 18446744073709551670"),
    "a huge length": length(b" 99999999999999999999999999"), "a fraction": length(b" %d.0" % len(BODY)),
    "an inner blank": length(b" 5 6"),
    "gzip, chunked": coded(b"gzip, chunked"), "chunked, chunked": coded(b"chunked, chunked"),
    "identity": coded(b"identity"), "xchunked": coded(b"xchunked"), "Chunked with a parameter": coded(b"chunked;q=1"),
    "an empty coding": coded(b""),
    "two codings": HEAD + b"Transfer-Encoding: chunked\r\n" + CHUNKED + CHUNK + b"0\r\n\r\n",
    "chunked on 1.0": HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + CHUNKED + CHUNK + b"0\r\n\r\n",
    "no chunk size": HEAD + CHUNKED + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk size of letters": HEAD + CHUNKED + b"zz\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a signed chunk size": HEAD + CHUNKED + b"+" + CHUNK + b"0\r\n\r\n",
    "a chunk size with 0x": HEAD + CHUNKED + b"0x" + CHUNK + b"0\r\n\r\n",
    "an overflowing chunk size": HEAD + CHUNKED + b"1" + b"0" * 16 + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a bare LF after a chunk size": HEAD + CHUNKED + CHUNK.replace(b"\r\n", b"\n", 1) + b"0\r\n\r\n",
    "a bare CR in a chunk line": HEAD + CHUNKED + CHUNK.replace(b"\r\n", b";\r\r\n", 1) + b"0\r\n\r\n",
    "bytes where CRLF belongs": HEAD + CHUNKED + CHUNK[:-2] + b"XX0\r\n\r\n",
    "a long chunk extension": HEAD + CHUNKED + CHUNK.replace(b"\r\n", b";" + b"a" * 70_000 + b"\r\n", 1) + b"0\r\n\r\n",
    "a bare LF in the head": GOOD.replace(b"\r\nContent-Type", b"\nContent-Type"),
    "only LF": HEAD.replace(b"\r\n", b"\n") + LENGTH.replace(b"\r\n", b"\n") + b"\n" + BODY,
    "a bare CR in a field": counted(b"X-Odd: a\rb"), "NUL in a field": counted(b"X-Odd: a\0b"),
    "a control byte in a field": counted(b"X-Odd: a\x01b"), "DEL in a field": counted(b"X-Odd: a\x7fb"),
    "a folded field": counted(b"X-Odd: a", b" b"), "a folded first field": GOOD.replace(b"\r\nHost", b"\r\n Host"),
    "no colon": counted(b"X-Odd"), "an empty name": counted(b": a"), "a blank before the colon": counted(b"X-Odd : a"),
    "a blank in a name": counted(b"X Odd: a"), "a name of other bytes": counted(b"X-\xc3\xa4: a"),
    "a name in brackets": counted(b"X[Odd]: a"),
    "HTTP/0.9": b"GET /\r\n\r\n", "HTTP/2.0": GOOD.replace(b"HTTP/1.1", b"HTTP/2.0"),
    "HTTP/1.2": GOOD.replace(b"HTTP/1.1", b"HTTP/1.2"), "lower-case version": GOOD.replace(b"HTTP/1.1", b"http/1.1"),
    "a version with more digits": GOOD.replace(b"HTTP/1.1", b"HTTP/1.10"),
    "the HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "two blanks in the request line": GOOD.replace(b"POST / ", b"POST  / "),
    "a tab in the request line": GOOD.replace(b"POST / ", b"POST\t/ "),
}

# THREATS 1, second item: 400. Whether the connection stays open is free.
HEADS = {
    "no host": GOOD.replace(b"Host: 127.0.0.1\r\n", b""), "two hosts": counted(b"Host: 127.0.0.1"),
    "an empty host": GOOD.replace(b"Host: 127.0.0.1", b"Host:"),
    "absolute form": target(b"http://127.0.0.1/"), "absolute form of AWS": target(b"https://dynamodb.us-east-1.amazonaws.com/"),
    "authority form": target(b"127.0.0.1:80"),
    "CONNECT": b"CONNECT dynamodb.us-east-1.amazonaws.com:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "TRACE": GOOD.replace(b"POST", b"TRACE"), "OPTIONS *": b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "an unknown method": GOOD.replace(b"POST", b"BREW"), "a lower-case method": GOOD.replace(b"POST", b"post"),
    "a fragment": target(b"/#a"), "a backslash": target(b"/\\a"), "raw bytes": target(b"/\xc3\xa4"),
    "a leading //": target(b"//"), "a bad escape": target(b"/%zz"), "a cut escape": target(b"/%4"),
    "a bad escape in the query": target(b"/?a=%g1"), "NUL in the target": target(b"/%00"),
    "a raw blank": target(b"/a b"),
    "a path above the bucket": get(b"/journey-bucket/../payroll/k"),
    "an escaped path above the bucket": get(b"/journey-bucket/%2e%2e/payroll/k"),
    "a duplicate target header": counted(b"X-Amz-Target: DynamoDB_20120810.DeleteItem"),
    "a duplicate content-type": counted(b"Content-Type: application/json"),
    "two subresources": get(b"/journey-bucket/k?acl&tagging"),
    "an unknown parameter": get(b"/journey-bucket?nosuch=1"),
    "an action beside the target": target(b"/?Action=GetItem&Version=2012-08-10"),
    "a body with a duplicate key": HEAD + b"Content-Length: %d\r\n\r\n" % (len(BODY) + 21) + BODY[:-1]
    + b',"TableName":"orders"' + b"}",
    "a body with a byte order mark": HEAD + b"Content-Length: %d\r\n\r\n\xef\xbb\xbf" % (len(BODY) + 3) + BODY,
    "a body that is two documents": HEAD + b"Content-Length: %d\r\n\r\n" % (2 * len(BODY)) + BODY * 2,
}

# Over a limit of THREATS 15: refused with 400, 413, 414 or 431.
LIMITS = {
    "a head over 64 KiB": counted(*[b"X-Odd-%d: " % n + b"a" * 8000 for n in range(9)]),
    "129 fields": counted(*[b"X-Odd-%d: a" % n for n in range(129)]),
    "a field over 16 KiB": counted(b"X-Odd: " + b"a" * (16 * 1024 + 1)),
    "a target over 8 KiB": target(b"/?" + b"a" * 8192),
    "a body over 10 MiB": HEAD + b"Content-Length: 10485761\r\n\r\n",
}


def exchange(port: int, raw: bytes, seconds: float = 5) -> tuple[bytes, bool]:
    """What comes back on a connection that stays open on our side, and whether the gate closed it."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as sock:
        reply = b""
        try:
            sock.sendall(raw)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if is_whole(reply):
                    sock.settimeout(0.7)
                chunk = sock.recv(65536)
                if not chunk:
                    return reply, True
                reply += chunk
        except (TimeoutError, BrokenPipeError):
            return reply, False
        except ConnectionResetError:
            return reply, True
    return reply, False


def is_whole(reply: bytes) -> bool:
    head, found, body = reply.partition(b"\r\n\r\n")
    match = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(found) and bool(match) and len(body) >= int(match.group(1))


def status(reply: bytes) -> int:
    match = re.match(rb"HTTP/1\.1 (\d{3}) ", reply)
    assert match, f"no reply: {reply[:200]!r}"
    return int(match.group(1))


@pytest.fixture
def stand(moto, verifier, gate):
    """The table that a request getting through would read; nothing may arrive until `verifier.expect` says so."""
    moto.client("dynamodb").create_table(**TABLE)
    return gate


def test_the_good_request_passes(stand, verifier):
    """The neighbor of all others, counted and chunked, alone and pipelined."""
    verifier.expect("get", times=4, operation="GetItem", body={"Key": KEY})
    assert status(exchange(stand.port, GOOD)[0]) == 200
    assert status(exchange(stand.port, HEAD + CHUNKED + CHUNK + b"0\r\n\r\n")[0]) == 200
    pair, _ = exchange(stand.port, GOOD + GOOD)
    assert pair.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize("name", FRAMING, ids=lambda n: n.replace(" ", "-"))
def test_doubtful_framing_is_400_and_closed(stand, verifier, name):
    # What follows on the connection would be a good request: it must never be read as one.
    reply, closed = exchange(stand.port, FRAMING[name] + (GOOD if not FRAMING[name].startswith(b"PRI") else b""))
    assert status(reply) == 400 and closed, (reply[:300], closed)
    assert len(re.findall(rb"HTTP/1\.1 \d{3} ", reply)) == 1, reply


@pytest.mark.parametrize("name", HEADS, ids=lambda n: n.replace(" ", "-"))
def test_a_doubtful_request_is_400(stand, verifier, name):
    assert status(exchange(stand.port, HEADS[name])[0]) in (400, 405), name


@pytest.mark.parametrize("name", LIMITS, ids=lambda n: n.replace(" ", "-"))
def test_over_a_limit_is_refused(stand, verifier, name):
    assert status(exchange(stand.port, LIMITS[name])[0]) in (400, 413, 414, 431), name


def test_a_body_shorter_than_announced_is_never_parsed(stand, verifier):
    with socket.create_connection(("127.0.0.1", stand.port), timeout=5) as sock:
        sock.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (len(BODY) + 1) + BODY)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
    with socket.create_connection(("127.0.0.1", stand.port), timeout=5) as sock:
        sock.sendall(HEAD + CHUNKED + CHUNK)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


def test_overriding_headers_choose_nothing(stand, verifier):
    verifier.expect("get", times=1, operation="GetItem", body={"Key": KEY})
    reply, _ = exchange(stand.port, counted(
        b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-Host: evil.example.com", b"Forwarded: for=1.2.3.4",
        b"X-Original-URL: /admin", b"X-HTTP-Method-Override: DELETE", b"Via: 1.1 x", b"Cookie: a=b", b"TE: trailers",
        b"Proxy-Authorization: Basic eDp4", b"Connection: X-Amz-Target, keep-alive, Authorization", b"Keep-Alive: 5"))
    # Either refused, or forwarded without any of them: the verifier refuses what it must not see.
    assert status(reply) in (200, 400)
    if status(reply) == 400:
        assert status(exchange(stand.port, GOOD)[0]) == 200


def test_trailers_never_become_headers(stand, verifier):
    verifier.expect("get", least=0, most=1, operation="GetItem", body={"Key": KEY})
    trailers = b"0\r\nX-Amz-Target: DynamoDB_20120810.DeleteItem\r\nHost: evil\r\nAuthorization: x\r\n\r\n"
    reply, _ = exchange(stand.port, HEAD + b"Trailer: X-Amz-Target\r\n" + CHUNKED + CHUNK + trailers)
    assert status(reply) in (200, 400)


def test_an_upgrade_is_never_made(stand, verifier):
    verifier.expect("get", least=0, most=1, operation="GetItem")
    reply, _ = exchange(stand.port, counted(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings",
                                            b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"))
    assert status(reply) in (200, 400) and b" 101 " not in reply


def test_an_unknown_expectation_is_417_or_ignored(stand, verifier):
    verifier.expect("get", least=0, most=1, operation="GetItem")
    assert status(exchange(stand.port, counted(b"Expect: the-unexpected"))[0]) in (200, 417, 400)


def test_a_100_continue_is_answered_before_the_body(stand, verifier):
    verifier.expect("get", times=1, operation="GetItem")
    with socket.create_connection(("127.0.0.1", stand.port), timeout=5) as sock:
        sock.sendall(HEAD + LENGTH + b"Expect: 100-continue\r\n\r\n")
        first = sock.recv(65536)
        assert first.startswith(b"HTTP/1.1 100 "), first
        sock.sendall(BODY)
        reply = first.partition(b"\r\n\r\n")[2]
        while not is_whole(reply):
            reply += sock.recv(65536)
        assert status(reply) == 200


def test_a_browser_is_refused(stand, verifier):
    for origin in (b"https://evil.example.com", b"null"):
        assert status(exchange(stand.port, counted(b"Origin: " + origin))[0]) in (400, 403)


def test_an_image_of_a_page_is_refused(stand, verifier):
    """A browser fetches it without an Origin; the query protocol's calls are such addresses."""
    reply, _ = exchange(stand.port, get(b"/?Action=ListQueues&Version=2012-11-05").replace(
        b"\r\n\r\n", b"\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n\r\n"))
    assert status(reply) == 403


def test_a_foreign_host_is_refused(stand, verifier):
    """DNS rebinding: a page's own name that leads to loopback."""
    assert status(exchange(stand.port, GOOD.replace(b"Host: 127.0.0.1", b"Host: evil.example.com"))[0]) in (400, 403)


def test_a_slow_head_is_cut_off(stand, verifier):
    with socket.create_connection(("127.0.0.1", stand.port), timeout=20) as sock:
        begun = time.monotonic()
        sock.sendall(b"POST / HTTP/1.1\r\nHo")
        while sock.recv(65536):
            pass
        assert 5 < time.monotonic() - begun < 15


def test_control_routes_do_not_exist_for_agents(stand, verifier):
    for path in (b"/v1/approvals", b"/v1/inbox", b"/v1/grants", b"/v1/approvals/apr-AAAAAAAA/approve"):
        assert status(exchange(stand.port, get(path))[0]) in (400, 403, 404)


def test_the_gate_lives_on_after_all_of_it(stand, verifier):
    verifier.expect("get", times=1, operation="GetItem")
    for raw in [*FRAMING.values(), *HEADS.values()]:
        with socket.create_connection(("127.0.0.1", stand.port), timeout=5) as sock:
            try:
                sock.sendall(raw)
            except OSError:
                pass
    assert status(exchange(stand.port, GOOD)[0]) == 200
    assert stand.verify_log().returncode == 0
