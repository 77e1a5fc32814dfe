"""An independent check of SigV4 header signatures, stricter than AWS.

Written from AWS's "Create a signed request" page and shares nothing with the gate or with botocore. `check` returns
every fault it finds, so that a test can say which guard refused.
"""

import calendar
import hashlib
import hmac
import re
import time
from dataclasses import dataclass

from rawhttp import Request

SKEW_SECONDS = 300
GLOBAL_REGIONS = {"iam": "us-east-1"}
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]\Z")

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Za-z0-9]+)/([0-9]{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})\Z")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# Query fields of a presigned URL (SigV4, SigV2) and session tokens: never part of what a gateway signs by header.
_QUERY_CREDENTIALS = {"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders",
                      "x-amz-signature", "x-amz-security-token", "awsaccesskeyid", "signature", "expires"}


@dataclass(frozen=True)
class Keys:
    """The gateway's own credentials, as the verifier knows them."""

    access_key: str
    secret_key: str
    session_token: str | None = None


@dataclass
class Scope:
    """What the Authorization header says was signed for."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: list[str]
    signature: str


def percent_encode(raw: bytes, keep_slash: bool = False) -> str:
    return "".join(
        chr(b) if b in _UNRESERVED or (keep_slash and b == 0x2F) else f"%{b:02X}" for b in raw)


def percent_decode(text: str) -> bytes:
    out, i = bytearray(), 0
    while i < len(text):
        if text[i] == "%":
            out.append(int(text[i + 1:i + 3], 16))
            i += 3
        else:
            out += text[i].encode("latin-1")
            i += 1
    return bytes(out)


def normalized(path: str) -> str:
    """RFC 3986 section 5.2.4, and empty segments removed, as every service but S3 wants it."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment in ("", "."):
            continue
        if segment == "..":
            del segments[-1:]
        else:
            segments.append(segment)
    tail = "/" if segments and (path.endswith("/") or path.endswith("/.") or path.endswith("/..")) else ""
    return "/" + "/".join(segments) + tail


def canonical_path(path: str, service: str) -> str:
    if service in ("s3", "s3express", "s3-outposts", "s3-object-lambda"):
        return percent_encode(percent_decode(path), keep_slash=True)
    return percent_encode(normalized(path).encode("latin-1"), keep_slash=True)


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Encoded names and values in signing order; an empty query has none."""
    pairs = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        pairs.append((percent_encode(percent_decode(name)), percent_encode(percent_decode(value))))
    return sorted(pairs)


def canonical_request(request: Request, scope: Scope, payload_hash: str) -> str:
    values: dict[str, list[str]] = {}
    for name, value in request.headers:
        values.setdefault(name, []).append(re.sub(r" +", " ", value.strip()))
    headers = "".join(f"{name}:{','.join(values.get(name, []))}\n" for name in scope.signed_headers)
    query = "&".join(f"{name}={value}" for name, value in query_pairs(request.query))
    return "\n".join([request.method, canonical_path(request.path, scope.service), query, headers,
                      ";".join(scope.signed_headers), payload_hash])


def signature(keys: Keys, scope: Scope, stamp: str, canonical: str) -> str:
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, f"{scope.date}/{scope.region}/{scope.service}/aws4_request",
                      hashlib.sha256(canonical.encode("latin-1")).hexdigest()])
    key = ("AWS4" + keys.secret_key).encode()
    for part in (scope.date, scope.region, scope.service, "aws4_request", text):
        key = hmac.new(key, part.encode("latin-1"), hashlib.sha256).digest()
    return key.hex()


def read_scope(request: Request) -> Scope | str:
    """The scope, or the fault that keeps it from being read."""
    value = request.header("authorization")
    if value is None:
        return "unsigned: no authorization header"
    match = _AUTHORIZATION.match(value)
    if not match:
        return f"authorization header is not of the strict form: {re.sub('Signature=.*', 'Signature=…', value)}"
    key, date, region, service, signed, sent = match.groups()
    return Scope(key, date, region, service, signed.split(";"), sent)


def check(request: Request, keys: Keys, regions: set[str], service: str, now: float | None = None) -> list[str]:
    """Every fault of the request's signature; none when it is right.

    `service` is the signing name that the request's own dispatch key calls for, `regions` those that may be signed
    for (a global service has its own).
    """
    scope = read_scope(request)
    if isinstance(scope, str):
        return [scope]
    faults = _scope_faults(request, scope, keys, regions, service)
    faults += _time_faults(request, scope, time.time() if now is None else now)
    faults += _coverage_faults(request, scope)
    faults += _leftover_faults(request, keys)
    digest = hashlib.sha256(request.body).hexdigest()
    declared = request.header("x-amz-content-sha256")
    if declared is None and scope.service == "s3":
        faults.append("s3 request without x-amz-content-sha256")
    if declared is not None and declared != digest:
        faults.append(f"payload hash {declared[:70]!r} is not the body's")
    if not faults:
        canonical = canonical_request(request, scope, declared or digest)
        expected = signature(keys, scope, request.header("x-amz-date") or "", canonical)
        if not hmac.compare_digest(expected, scope.signature):
            faults.append("signature does not match; canonical request:\n" + canonical)
    return faults


def _scope_faults(request: Request, scope: Scope, keys: Keys, regions: set[str], service: str) -> list[str]:
    faults = []
    if scope.access_key != keys.access_key:
        faults.append(f"foreign access key `{scope.access_key}`")
    if scope.service != service:
        faults.append(f"signed for service `{scope.service}`, the request is for `{service}`")
    wanted = {GLOBAL_REGIONS[service]} if service in GLOBAL_REGIONS else regions
    if scope.region not in wanted or not REGION.match(scope.region):
        faults.append(f"signed for region `{scope.region}`, expected one of {sorted(wanted)}")
    token = request.header("x-amz-security-token")
    if keys.session_token != token:
        faults.append("session token missing or wrong" if keys.session_token else "unexpected session token")
    return faults


def _time_faults(request: Request, scope: Scope, now: float) -> list[str]:
    stamp = request.header("x-amz-date")
    if stamp is None or not re.match(r"[0-9]{8}T[0-9]{6}Z\Z", stamp):
        return [f"x-amz-date {stamp!r}"]
    if request.header("date") is not None:
        return ["both date and x-amz-date"]
    try:
        when = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return [f"x-amz-date {stamp!r}"]
    faults = []
    if abs(now - when) > SKEW_SECONDS:
        faults.append(f"x-amz-date is {now - when:.0f} s off")
    if scope.date != stamp[:8]:
        faults.append("scope date is not the day of x-amz-date")
    return faults


def _coverage_faults(request: Request, scope: Scope) -> list[str]:
    faults = []
    names = {name for name, _ in request.headers}
    if scope.signed_headers != sorted(set(scope.signed_headers)):
        faults.append("SignedHeaders not sorted and unique")
    missing = [name for name in scope.signed_headers if name not in names]
    if missing:
        faults.append(f"signed but absent: {missing}")
    must = {name for name in names if name == "host" or name == "content-type" or name.startswith("x-amz-")}
    unsigned = sorted(must - set(scope.signed_headers))
    if unsigned:
        faults.append(f"present but unsigned: {unsigned}")
    return faults


def _leftover_faults(request: Request, keys: Keys) -> list[str]:
    faults = []
    names = {percent_decode(name).lower().decode("latin-1") for name, _ in query_pairs(request.query)}
    if names & _QUERY_CREDENTIALS:
        faults.append(f"credential fields in the query: {sorted(names & _QUERY_CREDENTIALS)}")
    if "+" in request.query:
        faults.append("raw + in the query: it is a space to some and a plus to others")
    for name, value in request.headers:
        if name == "x-amz-s3session-token":
            faults.append("a directory-bucket session token")
        if "Credential=unsigned/" in value or re.search(r"task=[^;]*;reason=", value):
            faults.append(f"the agent's own credential or token in header {name}")
    return faults
