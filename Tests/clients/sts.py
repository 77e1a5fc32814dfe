"""An STS of our own: strict where moto takes anything.

It verifies every signature with the verifier's own check, holds AssumeRole to the limits of the API reference, to the
trust that the test says, and to the rules of SourceIdentity and tags over chained roles; then it hands out keys. It
keeps every question, so that a test can say what CloudTrail would show. With a `Moto` in which IAM is enforced, each
session becomes a role of moto's whose one policy is the session policy: moto, which knows no session policies, then
refuses what that policy does not allow.
"""

import datetime
import json
import re
import secrets
import threading
import time
import zlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import sigv4check
from rawhttp import parse_head
from stand import ACCOUNT

ROLE = f"arn:aws:iam::{ACCOUNT}:role/gateway"
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
NAME = re.compile(r"[\w+=,.@-]{2,64}\Z", re.ASCII)
POLICY = re.compile(r"[\t\n\r -\u00ff]+\Z")
TAG = re.compile(r"[\w .:/=+\-@]*\Z")
# What AWS allows of packed policy and tags is not published; this holds the most that a policy of 2,048 varied
# characters with a few tags takes when it is compressed.
PACKED_BYTES = 1_200


class Refused(Exception):
    def __init__(self, code: str, message: str, status: int = 400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass
class Session:
    """One AssumeRole that was granted."""

    role: str
    name: str
    source_identity: str | None
    tags: dict[str, str]
    transitive: set[str]
    policy: str | None
    duration: int
    keys: sigv4check.Keys
    by: str
    ends: float
    packed: int = 0

    @property
    def statements(self) -> list[dict]:
        return json.loads(self.policy)["Statement"] if self.policy else []


@dataclass
class Trust:
    """What a role's trust policy lets pass, and how long its sessions may be."""

    assume: bool = True
    tag: bool = True
    source_identity: bool = True
    longest: int = 43_200


@dataclass
class STS:
    """The server. `keys` are the gateway's base keys; with `base_role` they are themselves a session of it."""

    keys: sigv4check.Keys
    base_role: str | None = None
    packed_bytes: int = PACKED_BYTES
    moto: object | None = None
    trust: Trust = field(default_factory=Trust)
    sessions: list[Session] = field(default_factory=list)
    refusals: list[Refused] = field(default_factory=list)
    questions: list[dict] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    # To be taken by the next questions, the first first: an error code, or `slow SECONDS`, or `close`.
    faults: list[str] = field(default_factory=list)
    # Set by a test: sessions then live so many seconds and not what was asked for.
    lifetime: float | None = None

    def __enter__(self) -> "STS":
        sts = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802
                sts._serve(self)

            def log_message(self, *_):
                pass

        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def asked(self, operation: str = "AssumeRole") -> list[dict]:
        with self._lock:
            return [q for q in self.questions if q["Action"] == operation]

    def keys_of(self, access_key: str) -> sigv4check.Keys:
        """The keys of a session that has not ended; else the gateway's own."""
        session = self.session_of(access_key)
        return session.keys if session and session.ends > time.time() else self.keys

    def session_of(self, access_key: str) -> Session | None:
        with self._lock:
            return next((s for s in self.sessions if s.keys.access_key == access_key), None)

    # The server.

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        head = f"{handler.command} {handler.path} HTTP/1.1\r\n".encode() + b"".join(
            f"{name}: {value}\r\n".encode("latin-1") for name, value in handler.headers.items()) + b"\r\n"
        request = parse_head(head)
        request.body = body
        question = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        with self._lock:
            self.questions.append(question)
            fault = self.faults.pop(0) if self.faults else None
        try:
            if fault and fault.startswith("slow "):
                self._stopping.wait(float(fault[5:]))
            elif fault == "close":
                handler.close_connection = True
                handler.connection.close()
                return
            elif fault:
                raise Refused(fault, "a fault of the test", 503 if fault == "ServiceUnavailable" else 400)
            caller = self._caller(request)
            if question["Action"] == "AssumeRole":
                answer = self._assume(question, caller)
            elif question["Action"] == "GetCallerIdentity":
                answer = self._identity(caller)
            else:
                raise Refused("InvalidAction", question["Action"])
            status, text = 200, answer
        except Refused as refused:
            with self._lock:
                self.refusals.append(refused)
            status, text = refused.status, (
                f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{refused.code}</Code>'
                f"<Message>{escape(refused.message)}</Message></Error><RequestId>r</RequestId></ErrorResponse>")
        raw = text.encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "text/xml")
        handler.send_header("x-amzn-RequestId", secrets.token_hex(8))
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    def _caller(self, request) -> Session | None:
        """The session that signed; None for the base keys."""
        scope = sigv4check.read_scope(request)
        if isinstance(scope, str):
            raise Refused("MissingAuthenticationToken", scope, 403)
        with self._lock:
            session = next((s for s in self.sessions if s.keys.access_key == scope.access_key), None)
        faults = sigv4check.check(request, session.keys if session else self.keys, {scope.region}, "sts")
        if faults:
            self.violations += faults
            raise Refused("SignatureDoesNotMatch", "; ".join(faults), 403)
        if session and session.ends < time.time():
            raise Refused("ExpiredToken", "the session has ended", 403)
        return session

    def _arn(self, caller: Session | None) -> str:
        if caller:
            return f"arn:aws:sts::{ACCOUNT}:assumed-role/{caller.role.split('/')[-1]}/{caller.name}"
        if self.base_role:
            return f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.base_role.split('/')[-1]}/i-0123456789abcdef0"
        return f"arn:aws:iam::{ACCOUNT}:user/gateway"

    def _identity(self, caller: Session | None) -> str:
        return (f'<GetCallerIdentityResponse xmlns="{NAMESPACE}"><GetCallerIdentityResult><Arn>{self._arn(caller)}</Arn>'
                f"<UserId>AIDAEXAMPLE</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult>"
                "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>")

    def _assume(self, question: dict, caller: Session | None) -> str:
        role, name = question.get("RoleArn", ""), question.get("RoleSessionName", "")
        if not re.fullmatch(r"arn:aws:iam::[0-9]{12}:role/[\w+=,.@/-]+", role):
            raise Refused("ValidationError", f"RoleArn `{role}`")
        if not NAME.match(name):
            raise Refused("ValidationError", f"RoleSessionName `{name}`")
        duration = self._duration(question, caller)
        source = self._source_identity(question, caller)
        tags, transitive = self._tags(question, caller)
        policy = question.get("Policy")
        packed = self._packed(policy, tags)
        needs = ["sts:AssumeRole"] + ["sts:TagSession"] * bool(tags) + ["sts:SetSourceIdentity"] * bool(source)
        allowed = {"sts:AssumeRole": self.trust.assume, "sts:TagSession": self.trust.tag,
                   "sts:SetSourceIdentity": self.trust.source_identity}
        for need in needs:
            if not allowed[need]:
                raise Refused("AccessDenied", f"User: {self._arn(caller)} is not authorized to perform: {need} on "
                                              f"resource: {role}", 403)
        life = self.lifetime if self.lifetime is not None else duration
        keys = self._keys(policy, life)
        session = Session(role, name, source, tags, transitive, policy, duration, keys, self._arn(caller),
                          time.time() + life, packed)
        with self._lock:
            self.sessions.append(session)
        end = datetime.datetime.fromtimestamp(session.ends, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        identity = f"<SourceIdentity>{source}</SourceIdentity>" if source else ""
        return (f'<AssumeRoleResponse xmlns="{NAMESPACE}"><AssumeRoleResult><Credentials>'
                f"<AccessKeyId>{keys.access_key}</AccessKeyId><SecretAccessKey>{escape(keys.secret_key)}</SecretAccessKey>"
                f"<SessionToken>{escape(keys.session_token)}</SessionToken><Expiration>{end}</Expiration></Credentials>"
                f"<AssumedRoleUser><AssumedRoleId>AROA:{name}</AssumedRoleId><Arn>{self._arn(session)}</Arn>"
                f"</AssumedRoleUser><PackedPolicySize>{packed}</PackedPolicySize>{identity}</AssumeRoleResult>"
                "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleResponse>")

    # The rules.

    def _duration(self, question: dict, caller: Session | None) -> int:
        duration = int(question.get("DurationSeconds", 3600))
        longest = 3600 if caller or self.base_role else self.trust.longest
        if not 900 <= duration <= longest:
            raise Refused("ValidationError", f"DurationSeconds {duration} is not within 900 to {longest}")
        return duration

    def _source_identity(self, question: dict, caller: Session | None) -> str | None:
        source = question.get("SourceIdentity")
        if source is not None and (not NAME.match(source) or source.startswith("aws:")):
            raise Refused("ValidationError", f"SourceIdentity `{source}`")
        if caller and caller.source_identity:
            if source not in (None, caller.source_identity):
                raise Refused("AccessDenied", "the source identity of a session cannot change", 403)
            return caller.source_identity
        return source

    def _tags(self, question: dict, caller: Session | None) -> tuple[dict[str, str], set[str]]:
        tags: dict[str, str] = {}
        count = sum(name.startswith("Tags.member.") and name.endswith(".Key") for name in question)
        if count > 50:
            raise Refused("ValidationError", f"{count} tags")
        for number in range(1, count + 1):
            key, value = question[f"Tags.member.{number}.Key"], question[f"Tags.member.{number}.Value"]
            if not 1 <= len(key) <= 128 or not TAG.match(key) or key.lower().startswith("aws:"):
                raise Refused("ValidationError", f"tag key `{key}`")
            if len(value) > 256 or not TAG.match(value):
                raise Refused("ValidationError", f"tag value `{value}`")
            if key.lower() in (k.lower() for k in tags):
                raise Refused("InvalidParameterValue", f"tag `{key}` twice")
            tags[key] = value
        wanted = {v for k, v in question.items() if k.startswith("TransitiveTagKeys.member.")}
        if not wanted <= set(tags):
            raise Refused("InvalidParameterValue", f"transitive keys {wanted} are no tags")
        if caller:
            kept = {k: v for k, v in caller.tags.items() if k in caller.transitive}
            if {k.lower() for k in kept} & {k.lower() for k in tags}:
                raise Refused("InvalidParameterValue", "a transitive tag cannot be set anew")
            tags, wanted = tags | kept, wanted | set(kept)
        return tags, wanted

    def _packed(self, policy: str | None, tags: dict[str, str]) -> int:
        if policy is not None:
            if not POLICY.match(policy):
                raise Refused("ValidationError", "Policy has characters that it may not have")
            if len(policy) > 2048:
                raise Refused("ValidationError", f"Policy has {len(policy)} characters of at most 2048")
            check_policy(policy)
        raw = (policy or "") + "".join(f"{k}\0{v}\0" for k, v in sorted(tags.items()))
        packed = -(-100 * len(zlib.compress(raw.encode(), 9)) // self.packed_bytes) if raw else 0
        if packed > 100:
            raise Refused("PackedPolicyTooLarge", f"Packed size of session tags and policy consumes {packed}% of "
                                                  "allotted space, please use smaller policy or fewer tags")
        return packed

    def _keys(self, policy: str | None, life: float) -> sigv4check.Keys:
        if self.moto is None:
            return sigv4check.Keys("ASIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30),
                                   secrets.token_urlsafe(300))
        return self.moto.session(policy)


def check_policy(text: str) -> None:
    """Raises unless `text` is an IAM policy as AWS takes one inline: the elements, their types, no doubles."""
    def pairs(found):
        names = [name for name, _ in found]
        if len(names) != len(set(names)):
            raise Refused("MalformedPolicyDocument", f"a member twice among {names}")
        return dict(found)

    try:
        policy = json.loads(text, object_pairs_hook=pairs)
    except ValueError as error:
        raise Refused("MalformedPolicyDocument", f"no JSON: {error}") from error
    if set(policy) != {"Version", "Statement"} or policy["Version"] != "2012-10-17" or not policy["Statement"]:
        raise Refused("MalformedPolicyDocument", f"members {sorted(policy)}")
    for statement in policy["Statement"]:
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise Refused("MalformedPolicyDocument", f"effect {statement.get('Effect')}")
        if len({"Action", "NotAction"} & set(statement)) != 1 or len({"Resource", "NotResource"} & set(statement)) != 1:
            raise Refused("MalformedPolicyDocument", f"elements {sorted(statement)}")
        if set(statement) - {"Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Sid"}:
            raise Refused("MalformedPolicyDocument", f"elements {sorted(statement)}")
        for element in ("Action", "NotAction", "Resource", "NotResource"):
            texts = statement.get(element, [])
            for one in [texts] if isinstance(texts, str) else texts:
                pattern = r"\*|[a-z0-9-]+:[A-Za-z0-9*?]+" if element.endswith("Action") else r"\*|arn:[^:]*:[^:*?$]+:.*:.*:.+"
                if not re.fullmatch(pattern, one, re.DOTALL):
                    raise Refused("MalformedPolicyDocument", f"{element} `{one}`")


def allows(policy: str, action: str, resource: str) -> bool:
    """What AWS says of a request made with a session of `policy`, as far as the policy goes: a reading of our own.

    The request comes from us, never from a service in our name. Conditions of another kind are not judged here.
    """
    def matches(pattern: str, text: str, fold: bool) -> bool:
        out, at = "", 0
        while at < len(pattern):
            if pattern[at:at + 2] == "${" and pattern[at + 3:at + 4] == "}":
                out, at = out + re.escape(pattern[at + 2]), at + 4
                continue
            out, at = out + {"*": ".*", "?": "."}.get(pattern[at], re.escape(pattern[at])), at + 1
        return re.fullmatch(out, text, re.DOTALL | (re.IGNORECASE if fold else 0)) is not None

    def any_of(texts, text: str, fold: bool) -> bool:
        return any(matches(one, text, fold) for one in ([texts] if isinstance(texts, str) else texts))

    answer = False
    for statement in json.loads(policy)["Statement"]:
        condition = statement.get("Condition")
        if condition == {"Bool": {"aws:ViaAWSService": "true"}}:
            continue
        assert not condition, condition
        is_action = any_of(statement["Action"], action, True) if "Action" in statement else not any_of(
            statement["NotAction"], action, True)
        is_resource = any_of(statement["Resource"], resource, False) if "Resource" in statement else not any_of(
            statement["NotResource"], resource, False)
        if is_action and is_resource:
            if statement["Effect"] == "Deny":
                return False
            answer = True
    return answer
