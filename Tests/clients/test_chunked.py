"""Uploads in chunks, raw, in each of S3's forms: by issued keys every chunk's signature holds, and what arrives is plain.

The signatures are made here, from Amazon's pages alone ("Signature calculations for the authorization header"): no client that
can be installed sends all of the forms.
"""

import base64
import datetime
import hashlib
import hmac
import json
import zlib

import pytest

import policies
from gate import AGENT, GATEWAY_KEYS, Gate
from test_hostile import exchange, status
from verifier import Verifier

BUCKET, REGION = "journey-chunks", "us-east-1"
CONTENT = bytes(range(256)) * 700
PLAIN, TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SUM = "x-amz-checksum-crc32:" + base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode()
POLICY = f"""\
Countersign: 1
Id: chunks
Agents: ["{AGENT}"]
Statement:
  - {{Sid: Put, Effect: Allow, Action: "s3:PutObject", Resource: "arn:aws:s3:::{BUCKET}/*"}}
"""


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    with Verifier(GATEWAY_KEYS, responder=lambda request: (200, [("ETag", '"x"')], b"")) as verifier:
        verifier.expect("put", least=0, most=100, service="s3", method="PUT")
        gate = Gate(folder, verifier.url)
        gate.write_policies(chunks=POLICY, agents=policies.AGENTS, approvers=policies.APPROVERS)
        gate.start()
        opened = gate.run("session", "open", "--agent", AGENT, "--task", "chunks", "--json", "--agent-socket", str(gate.agents))
        yield gate, verifier, json.loads(opened.stdout)
        gate.stop()
        verifier.assert_expected()


class Upload:
    """A PUT of CONTENT in two chunks, signed by `keys` or by none."""

    def __init__(self, keys: dict | None, form: str, key: str, host: str):
        self.keys, self.form, self.key, self.host = keys, form, key, host
        self.stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{self.stamp[:8]}/{REGION}/s3/aws4_request"
        self.pieces = [CONTENT[:65_536], CONTENT[65_536:], b""]
        self.trailer = SUM if form != PLAIN else None
        self.fields = {"x-amz-decoded-content-length": str(len(CONTENT)), "x-amz-content-sha256": form}
        if self.trailer:
            self.fields["x-amz-trailer"] = "x-amz-checksum-crc32"
        self.links = []

    def mac(self, text: str) -> str:
        key = ("AWS4" + self.keys["secret_access_key"]).encode()
        for part in (*self.scope.split("/"), text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key.hex()

    def link(self, kind: str, before: str, *hashes: str) -> str:
        return self.mac("\n".join([f"AWS4-HMAC-SHA256-{kind}", self.stamp, self.scope, before, *hashes]))

    def sign(self) -> "Upload":
        """The head's signature, then the chunks', then the trailers'."""
        if self.keys is None:
            self.fields.pop("x-amz-content-sha256")
            self.links = [None] * 4
            return self
        signed = self.fields | {"host": self.host, "x-amz-date": self.stamp, "x-amz-security-token": self.keys["session_token"]}
        names = sorted(signed)
        lines = "".join(f"{name}:{signed[name]}\n" for name in names)
        canonical = "\n".join(["PUT", f"/{BUCKET}/{self.key}", "", lines, ";".join(names), self.form])
        seed = self.mac("\n".join(["AWS4-HMAC-SHA256", self.stamp, self.scope, hashlib.sha256(canonical.encode()).hexdigest()]))
        self.fields = {name: signed[name] for name in names if name != "host"} | {
            "authorization": f"AWS4-HMAC-SHA256 Credential={self.keys['access_key_id']}/{self.scope}, "
                             f"SignedHeaders={';'.join(names)}, Signature={seed}"}
        for piece in self.pieces:
            seed = self.link("PAYLOAD", seed, hashlib.sha256(b"").hexdigest(), hashlib.sha256(piece).hexdigest())
            self.links.append(seed)
        self.links.append(self.link("TRAILER", seed, hashlib.sha256(f"{self.trailer}\n".encode()).hexdigest()))
        return self

    def body(self) -> bytes:
        made, in_chunks = b"", self.keys is not None and self.form != UNSIGNED
        for piece, link in zip(self.pieces, self.links):
            extent = f";chunk-signature={link}" if in_chunks else ""
            made += f"{len(piece):x}{extent}\r\n".encode() + piece + (b"\r\n" if piece else b"")
        made += f"{self.trailer}\r\n".encode() if self.trailer else b""
        made += f"x-amz-trailer-signature:{self.links[-1]}\r\n".encode() if self.trailer and in_chunks else b""
        return made + b"\r\n"

    def head(self, *fields: str) -> bytes:
        own = [f"{name}: {value}" for name, value in self.fields.items()]
        return "\r\n".join([f"PUT /{BUCKET}/{self.key} HTTP/1.1", f"Host: {self.host}", *own, *fields, "", ""]).encode()


@pytest.fixture
def upload(stand, request):
    gate, _, keys = stand
    # Each test's own key, so that what arrived is told apart.
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:16]
    return lambda form, by_keys=True: Upload(keys if by_keys else None, form, name, f"127.0.0.1:{gate.port}")


def send(stand, upload: Upload, body: bytes | None = None, outer: bool = False) -> tuple[int, list]:
    """The answer's status, and what arrived."""
    gate, verifier, _ = stand
    body = upload.body() if body is None else body
    if outer:
        pieces = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:1_000], body[1_000:]) if piece)
        raw = upload.head("Transfer-Encoding: chunked", "Connection: close") + pieces + b"0\r\n\r\n"
    else:
        raw = upload.head(f"Content-Length: {len(body)}", "Connection: close") + body
    reply, _ = exchange(gate.port, raw)
    return status(reply), [a for a in verifier.seen() if a.path == f"/{BUCKET}/{upload.key}"]


@pytest.mark.parametrize("outer", [False, True], ids=["counted", "in-chunks-of-http"])
@pytest.mark.parametrize("form", [PLAIN, TRAILER, UNSIGNED])
@pytest.mark.parametrize("by_keys", [True, False], ids=["issued-keys", "no-keys"])
def test_each_form_arrives_plain(stand, upload, form, by_keys, outer):
    if form != UNSIGNED and not by_keys:
        form = UNSIGNED if form == TRAILER else PLAIN  # without keys nothing says that chunks are signed
    given = upload(form, by_keys).sign()
    code, arrived = send(stand, given, outer=outer)
    assert code == 200 and len(arrived) == 1
    assert arrived[0].body == CONTENT
    headers = dict(arrived[0].headers)
    assert headers.get("x-amz-checksum-crc32") == (SUM.partition(":")[2] if given.trailer else None)
    assert not {"x-amz-trailer", "x-amz-decoded-content-length", "content-encoding", "x-amz-security-token"} & set(headers)
    entry = [e for e in stand[0].entries() if e["type"] == "request"][-1]
    assert entry["strength"] == ("signed" if by_keys else "listener")
    assert entry["bytes"] == len(CONTENT)


def flip(upload):
    upload.pieces[0] = b"X" + upload.pieces[0][1:]


def swap(upload):
    upload.pieces[0], upload.pieces[1] = upload.pieces[1], upload.pieces[0]
    upload.links[0], upload.links[1] = upload.links[1], upload.links[0]


def forge(place):
    def forged(upload):
        upload.links[place] = upload.links[place][::-1]
    return forged


def replay(upload):
    upload.links[1] = upload.links[0]


@pytest.mark.parametrize("change", [flip, swap, replay, forge(0), forge(1), forge(2)])
@pytest.mark.parametrize("form", [PLAIN, TRAILER])
def test_a_chunk_that_was_not_signed_so_is_refused(stand, upload, form, change):
    given = upload(form).sign()
    if form == TRAILER and change in (flip, swap):
        # Another checksum beside: it is the signature that refuses.
        change(given)
        content = b"".join(given.pieces)
        given.trailer = "x-amz-checksum-crc32:" + base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
    else:
        change(given)
    assert send(stand, given) == (403, [])


def test_a_trailer_that_was_not_signed_so_is_refused(stand, upload):
    given = upload(TRAILER).sign()
    forge(3)(given)
    assert send(stand, given) == (403, [])


def test_a_body_that_was_cut_at_a_chunk_is_refused(stand, upload):
    """Its announced length is signed too, so the cut one lies about it, or ends without its last chunk."""
    given = upload(PLAIN).sign()
    whole = given.body()
    last = whole[whole.rindex(b"0;chunk-signature="):]
    first = whole[:whole.index(b"\r\n", 65_536 + 90) + 2]
    assert send(stand, given, first + last) == (400, [])
    assert send(stand, given, first) == (400, [])


def test_form_and_length_are_signed(stand, upload):
    for name, value in (("x-amz-content-sha256", UNSIGNED), ("x-amz-decoded-content-length", "1"),
                        ("x-amz-trailer", "x-amz-checksum-crc32c")):
        given = upload(TRAILER).sign()
        given.fields[name] = value
        code, arrived = send(stand, given)
        assert code in (400, 403) and arrived == [], name
        given = upload(TRAILER).sign()
        del given.fields[name]
        code, arrived = send(stand, given)
        assert code in (400, 403) and arrived == [], name
