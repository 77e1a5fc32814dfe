"""A second reading of raw requests, strict, from the protocols' documentation and botocore's models alone.

`read(line)` gives the service, operation, parameters and pairs of a line of `debug recognize`, or raises: `Refused` where a
front end of AWS would refuse, or where two of them could read two things; `Unjudged` where this reading has no opinion.
Nothing here is taken from the gate: it is what its answers are held against (scripts/differential).

Sources: RFC 9110 and 9112, RFC 8259, RFC 8949, XML 1.0; Smithy's pages of the five AWS protocols; API references.
"""

import base64
import functools
import gzip
import hashlib
import json
import re
import struct
import xml.parsers.expat
import zlib
from urllib.parse import unquote_to_bytes

import botocore.session

ACCOUNT, REGION = "111122223333", "us-east-1"
SERVICES = [
    "dynamodb", "s3", "sqs", "sns", "iam", "ec2", "lambda", "kms", "secretsmanager", "ssm", "kinesis", "cloudwatch", "sts",
    "events", "logs", "apigateway", "route53"]
DEPTH_MAX = 64
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
# What HTTP lets come several times, and what decides nothing.
LISTS = {
    "accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "connection", "cookie", "forwarded",
    "keep-alive", "pragma", "te", "trailer", "upgrade", "via", "warning", "x-forwarded-for"}
SCOPE = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/,\s]+/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, SignedHeaders=\S+, Signature=\w+\Z")
JSON_TYPE = re.compile(r"application/x-amz-json-1\.[01]\Z")


class Refused(Exception):
    """No request that may be sent on."""


class Unjudged(Exception):
    """Beyond what this reading knows."""


@functools.lru_cache(None)
def model(service):
    return botocore.session.get_session().get_service_model(service)


@functools.lru_cache(None)
def protocols(service):
    metadata = model(service).metadata
    spoken = set(metadata.get("protocols") or [metadata["protocol"]])
    # The older form of SQS and the queries of CloudWatch go on.
    return spoken | ({"query"} if service in ("sqs", "cloudwatch") else set())


def refuse_unless(holds, why):
    if not holds:
        raise Refused(why)


def text_of(raw, what):
    try:
        return raw.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise Refused(f"{what} is not UTF-8") from None


def unescaped(text, what):
    refuse_unless(not re.search(r"%(?![0-9A-Fa-f]{2})", text), f"a bad escape in {what}")
    return text_of(unquote_to_bytes(text), what)


# MARK: aws-chunked

UPLOADS = {("s3", "PutObject"), ("s3", "UploadPart")}
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
TRAILERS = re.compile(r"x-amz-checksum-(crc32|crc32c|crc64nvme|md5|sha1|sha256|sha512|xxhash64|xxhash3|xxhash128)\Z")
SUMS = {"crc32": lambda content: zlib.crc32(content).to_bytes(4, "big")} | {
    name: lambda content, name=name: hashlib.new(name, content).digest() for name in ("md5", "sha1", "sha256", "sha512")}


def is_framed(head):
    coded = [part.strip(" \t").lower() for part in (head.get("content-encoding") or "").split(",")]
    said = "aws-chunked" in coded or any(head.get(f"x-amz-{name}") is not None for name in ("decoded-content-length", "trailer"))
    kind = head.get("x-amz-content-sha256")
    if kind is None or not kind.lower().startswith("streaming-"):
        refuse_unless(not said or kind is None, "aws-chunked, and another payload hash")
        return said
    refuse_unless(kind in (STREAMING, STREAMING + "-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), "another framing")
    refuse_unless(coded.count("aws-chunked") <= 1, "aws-chunked twice")
    return True


def unframed(head, body):
    """What an upload in chunks holds; its head is left as that of a plain one."""
    kind = head.get("x-amz-content-sha256") or ""
    names = [name.strip(" \t").lower() for name in head.get("x-amz-trailer").split(",")] if head.get("x-amz-trailer") is not None else []
    refuse_unless(len(set(names)) == len(names) and all(map(TRAILERS.match, names)), "the trailers")
    refuse_unless((kind == STREAMING) <= (not names) and (kind == STREAMING + "-TRAILER") <= bool(names), "the trailers of that kind")
    signed = rb";chunk-signature=[0-9a-f]{64}" if kind.startswith(STREAMING) else b""
    line, content = re.compile(rb"(0|[1-9a-fA-F][0-9a-fA-F]{0,7})" + signed + rb"\r\n"), b""
    while True:
        match = line.match(body)
        refuse_unless(match, "a chunk's line")
        count, body = int(match.group(1), 16), body[match.end():]
        if not count:
            break
        refuse_unless(body[count:count + 2] == b"\r\n", "a chunk")
        content, body = content + body[:count], body[count + 2:]
    found = {}
    for _ in names:
        match = re.match(rb"([a-zA-Z0-9-]+):([A-Za-z0-9+/]*={0,2})\n?\r\n", body)
        refuse_unless(match and match.group(1).decode().lower() not in found, "a trailer")
        found[match.group(1).decode().lower()] = match.group(2)
        body = body[match.end():]
    end = rb"x-amz-trailer-signature:[0-9a-f]{64}\r\n\r\n\Z" if kind == STREAMING + "-TRAILER" else rb"\r\n\Z"
    refuse_unless(set(found) == set(names) and re.match(end, body), "the end")
    length = head.get("x-amz-decoded-content-length") or ""
    refuse_unless(re.match(r"(0|[1-9][0-9]*)\Z", length) and int(length) == len(content) <= 10 << 20, "the length")
    for name, value in found.items():
        refuse_unless(name not in head.fields, "a trailer that is a field, too")
        try:
            given = base64.b64decode(value, validate=True)
        except ValueError:
            raise Refused("a checksum that is not base 64") from None
        refuse_unless(given and base64.b64encode(given) == value, "a checksum of two spellings")
        refuse_unless(SUMS.get(name[15:], lambda content: given)(content) == given, "another checksum")
        head.fields[name] = value.decode()
    for name in ("x-amz-decoded-content-length", "x-amz-trailer", "x-amz-content-sha256"):
        head.fields.pop(name, None)
    if "content-length" in head.fields:
        head.fields["content-length"] = str(len(content))
    rest = [part for part in (head.fields.pop("content-encoding", "")).split(",") if part.strip(" \t").lower() != "aws-chunked"]
    if "".join(rest):
        head.fields["content-encoding"] = ",".join(rest).strip(" \t")
    return content


# MARK: The head

class Head:
    def __init__(self, line, body):
        self.method, target = line["method"], line["target"]
        refuse_unless(self.method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"), "the method")
        refuse_unless(re.match(r"/(?!/)[!-~]*\Z", target) and not re.search(r"[#\\]", target), "the target")
        refuse_unless(not re.search(r"%(?![0-9A-Fa-f]{2})", target), "a bad escape")
        self.path, mark, raw_query = target.partition("?")
        self.fields = {}
        for name, value in line["headers"]:
            refuse_unless(TOKEN.match(name), "a field name")
            refuse_unless(not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value), "a control byte in a field")
            name = name.lower()
            refuse_unless(name not in self.fields or name in LISTS, "a field twice")
            self.fields[name] = (self.fields[name] + "," if name in self.fields else "") + value.strip(" \t")
        self.check_framing(body)
        host = self.fields.get("host", "")
        refuse_unless(re.match(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(:\d{1,5})?\Z", host), "the host")
        self.host = host.lower().rpartition(":")[0] if ":" in host else host.lower()
        # What Connection names belongs to the connection, and goes no further.
        for name in self.fields.pop("connection", "").split(","):
            self.fields.pop(name.strip(" \t").lower(), None)
        self.query = items(raw_query) if mark else []
        if any(re.match(r"x-amz-(credential|signature)|awsaccesskeyid", name.lower()) for name, _ in self.query):
            raise Unjudged("presigned")

    def check_framing(self, body):
        length, encoding = self.fields.get("content-length"), self.fields.get("transfer-encoding")
        refuse_unless(length is None or encoding is None, "two framings")
        refuse_unless(encoding is None or encoding.lower() == "chunked", "an encoding of the transfer")
        refuse_unless(length is None or re.match(r"(0|[1-9][0-9]*)\Z", length) and int(length) == len(body), "the length")
        refuse_unless(not body or length or encoding, "a body without a length")

    def get(self, name):
        return self.fields.get(name)

    @property
    def media_type(self):
        return self.fields.get("content-type", "").split(";")[0].strip(" \t").lower()

    def check_text(self):
        """A body that decides is UTF-8, as it came."""
        refuse_unless(self.fields.get("content-encoding", "identity").lower() in ("identity", ""), "an encoding")
        for parameter in self.fields.get("content-type", "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip(" \t").lower() == "charset":
                refuse_unless(value.strip(' \t"').lower() in ("utf-8", "utf8", "us-ascii"), "a character set")


def items(text):
    """The names and values of a query or form; None for a value without `=`."""
    found = []
    if not text:
        return found
    refuse_unless(";" not in text, "`;`: one reader separates there, another does not")
    for piece in text.split("&"):
        name, equals, value = piece.partition("=")
        name = unescaped(name.replace("+", " "), "a name")
        refuse_unless(name, "an item without a name")
        found.append((name, unescaped(value.replace("+", " "), "a value") if equals else None))
    return found


def once(found, what):
    names = [name for name, _ in found]
    refuse_unless(len(names) == len(set(names)), f"{what}: a name twice")
    return dict(found)


class Outside:
    """What Host and credential scope say: the services that it may be, the region, a bucket."""

    def __init__(self, head):
        self.services, self.region, self.bucket = None, REGION, None
        signed = head.get("authorization")
        scope = None
        if signed is not None:
            match = SCOPE.match(signed)
            if not match:
                raise Unjudged("another form of Authorization")
            scope = match.group(1), match.group(2)
            self.region = scope[0]
            self.services = [s for s in SERVICES if model(s).signing_name == scope[1]]
            if not self.services:
                raise Unjudged("a service that is not read here")
        self.host(head.host, scope)
        self.prefix(head)

    def prefix(self, head):
        """`/_aws/SERVICE[/REGION]`, which is the gate's own."""
        match = re.match(r"/_aws(?:/([^/]*)(/[^/]*)?(/.*)?)?\Z", head.path)
        if not match:
            return
        service, second, rest = match.groups()
        if service not in SERVICES:
            raise Unjudged("a prefix of another service")
        refuse_unless(self.services is None or service in self.services, "the prefix names another service")
        self.services = [service]
        if second and re.match(r"/[a-z]{2}-[a-z]+-\d\Z", second):
            raise Unjudged("a prefix with a region")
        head.path = (second or "/") + (rest or "")

    def host(self, name, scope):
        if name in ("localhost", "127.0.0.1"):
            return
        for local in (".localhost", ".127.0.0.1"):
            if name.endswith(local):
                self.bucket = name.removesuffix(local)
                return
        match = re.match(r"(?:(.+)\.)?([a-z0-9-]+)\.([a-z0-9-]+)\.amazonaws\.com\Z", name)
        if name in ("iam.amazonaws.com", "sts.amazonaws.com", "route53.amazonaws.com"):
            named = [s for s in SERVICES if model(s).endpoint_prefix == name.split(".")[0]]
        elif match and match.group(2) in {model(s).endpoint_prefix for s in SERVICES}:
            named = [s for s in SERVICES if model(s).endpoint_prefix == match.group(2)]
            refuse_unless(scope is None or match.group(3) == scope[0], "Host and scope name two regions")
            self.region, self.bucket = match.group(3), match.group(1)
        else:
            raise Unjudged("another host")
        self.services = [s for s in named if self.services is None or s in self.services]
        refuse_unless(self.services, "Host and scope name two services")


# MARK: The documents

def read_json(body):
    text = text_of(body, "the document")

    def distinct(pairs):
        refuse_unless(len({name for name, _ in pairs}) == len(pairs), "a member twice")
        return dict(pairs)

    def no_constant(word):
        raise Refused(f"{word} is no JSON")

    try:
        value = json.loads(text, object_pairs_hook=distinct, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(f"no JSON: {error}") from None
    check_value(value, 1)
    return value


def check_value(value, depth):
    refuse_unless(depth <= DEPTH_MAX, "nested too deep")
    if isinstance(value, str):
        refuse_unless(not re.search("[\ud800-\udfff]", value), "half a surrogate pair")
    elif isinstance(value, dict):
        for name, inner in value.items():
            check_value(name, 1)
            check_value(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            check_value(inner, depth + 1)


class CBOR:
    """RFC 8949 as rpc-v2-cbor uses it: text names, tag 1 only, no name twice."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0
        self.value = self.item(1)
        refuse_unless(self.at == len(raw), "bytes after the document")

    def take(self, count):
        refuse_unless(self.at + count <= len(self.raw), "it ends early")
        self.at += count
        return self.raw[self.at - count:self.at]

    def head(self):
        first = self.take(1)[0]
        major, low = first >> 5, first & 31
        if low < 24:
            return major, low, low
        if low == 31:
            refuse_unless(major in (2, 3, 4, 5, 7), "an indefinite length")
            return major, low, None
        refuse_unless(low < 28, "a reserved length")
        return major, low, int.from_bytes(self.take(1 << low - 24), "big")

    def item(self, depth, head=None):
        refuse_unless(depth <= DEPTH_MAX, "nested too deep")
        major, low, argument = head or self.head()
        if major in (0, 1):
            return argument if major == 0 else -1 - argument
        if major in (2, 3):
            return self.string(major, argument)
        if major in (4, 5):
            members = []
            for head in self.heads(argument):
                value = self.item(depth + 1, head)
                if major == 5:
                    refuse_unless(isinstance(value, str), "a name that is no text")
                    value = value, self.item(depth + 1)
                members.append(value)
            return once(members, "the map") if major == 5 else members
        if major == 6:
            refuse_unless(argument == 1, "a tag")
            value = self.item(depth + 1)
            refuse_unless(isinstance(value, (int, float)) and not isinstance(value, bool), "a time that is no number")
            return float(value)
        return self.simple(low, argument)

    def heads(self, count):
        if count is not None:
            refuse_unless(count <= len(self.raw), "a length past the end")
        number = 0
        while count is None or number < count:
            head = self.head()
            if head[:2] == (7, 31):
                refuse_unless(count is None, "a break where there is none")
                return
            number += 1
            yield head

    def string(self, major, argument):
        if argument is not None:
            pieces = [self.take(argument)]
        else:
            pieces = []
            for kind, _, length in self.heads(None):
                refuse_unless(kind == major and length is not None, "a piece of another kind")
                pieces.append(self.take(length))
        if major == 2:
            return b"".join(pieces)
        return "".join(text_of(piece, "text") for piece in pieces)

    @staticmethod
    def simple(low, argument):
        if low in (20, 21, 22, 23):
            return {20: False, 21: True, 22: None, 23: None}[low]
        refuse_unless(low in (25, 26, 27), "a simple value")
        form = {25: ">e", 26: ">f", 27: ">d"}[low]
        return struct.unpack(form, argument.to_bytes(1 << low - 24, "big"))[0]


class Element:
    def __init__(self, name):
        self.name, self.children, self.text = name, [], ""


def read_xml(raw):
    """The root, by expat; without DTD, instructions and foreign namespaces."""
    parser = xml.parsers.expat.ParserCreate(namespace_separator="\n")
    holder = Element("")
    open_elements = [holder]

    def start(name, attributes):
        space, _, local = name.rpartition("\n")
        refuse_unless(not space or re.match(r"https?://[^/]+\.amazonaws\.com/", space), "a foreign namespace")
        element = Element(local)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(name):
        element = open_elements.pop()
        refuse_unless(not element.children or not element.text.strip(" \t\r\n"), "text beside elements")

    def text(piece):
        open_elements[-1].text += piece

    def no(*_):
        raise Refused("a DTD or an instruction")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = parser.ProcessingInstructionHandler = no
    parser.buffer_text = True
    try:
        parser.Parse(raw, True)
    except (xml.parsers.expat.ExpatError, LookupError, ValueError) as error:
        raise Refused(f"no XML: {error}") from None
    return holder.children[0]


# MARK: By the model

def folded(name):
    return name.casefold().translate({0x17F: "s", 0x212A: "k"})


def near(name, known):
    """Whether a reader that does not heed case would take `name` for one of `known`."""
    return folded(name) in {folded(other) for other in known}


SCALARS = {
    "string": str, "character": str, "blob": (str, bytes), "timestamp": (int, float, str), "integer": (int, float), "long": (int, float), "float": (int, float, str),
    "double": (int, float, str), "boolean": bool}


def shaped(value, shape, wire=True):
    """`value` of a JSON or CBOR document as `shape` has it, by model names; null is absent."""
    if value is None:
        return None
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return value
        refuse_unless(isinstance(value, dict), "no structure")
        names = {(m.serialization.get("name", name) if wire else name): (name, m) for name, m in shape.members.items()}
        read = {}
        for name, inner in value.items():
            if name in names:
                own, member = names[name]
                got = inner if member.serialization.get("jsonvalue") else shaped(inner, member, wire)
                if got is not None:
                    read[own] = got
            else:
                refuse_unless(not near(name, names), f"`{name}` in another case")
        return read
    if kind == "list":
        refuse_unless(isinstance(value, list), "no list")
        return [shaped(inner, shape.member, wire) for inner in value]
    if kind == "map":
        refuse_unless(isinstance(value, dict), "no map")
        return {name: shaped(inner, shape.value, wire) for name, inner in value.items()}
    refuse_unless(isinstance(value, SCALARS[kind]) and isinstance(value, bool) == (kind == "boolean"), f"no {kind}")
    return value


def scalar(text, shape):
    """The text of a form, query, field or element as `shape` has it."""
    kind = shape.type_name
    if kind == "boolean":
        refuse_unless(text.lower() in ("true", "false", "1", "0"), "neither true nor false")
        return text.lower() in ("true", "1")
    if kind in ("integer", "long"):
        refuse_unless(re.match(r"(0|-?[1-9][0-9]*)\Z", text), "no whole number")
        return int(text)
    refuse_unless(kind not in ("structure", "list", "map"), "one value where there are several")
    return text


def tree(form):
    root = {}
    for name, value in form.items():
        node = root
        for step in name.split("."):
            refuse_unless(step, "an empty part of a name")
            node = node.setdefault(step, {})
        refuse_unless("" not in node, "a name twice")
        node[""] = value or ""
    return root


def query_shaped(node, shape, ec2, flat=False):
    kind = shape.type_name
    if kind == "structure":
        refuse_unless("" not in node, "a value that is a structure")
        names = {}
        for name, member in shape.members.items():
            own = member.serialization.get("queryName") if ec2 else None
            wire = member.serialization.get("name", name)
            wire = own or (wire[:1].upper() + wire[1:] if ec2 else wire)
            is_flat = ec2 or member.serialization.get("flattened", False)
            if is_flat and not ec2 and member.type_name == "list" and member.member.serialization.get("name"):
                wire = member.member.serialization["name"]
            names[wire] = name, member, is_flat
        read = {}
        for step, inner in node.items():
            if step in names:
                name, member, is_flat = names[step]
                read[name] = query_shaped(inner, member, ec2, is_flat)
            else:
                refuse_unless(not near(step, names), f"`{step}` in another case")
        return read
    if kind in ("list", "map"):
        if set(node) == {""} and node[""] == "" and kind == "list":
            return []
        refuse_unless("" not in node, "a value that is a list")
        if not flat:
            step = "entry" if kind == "map" else shape.member.serialization.get("name", "member")
            refuse_unless(set(node) == {step} or set(node) == {"member"}, "a list that is written otherwise")
            node = next(iter(node.values()))
        count = len(node)
        refuse_unless(set(node) == {str(number + 1) for number in range(count)}, "indices that are not 1, 2, …")
        entries = [node[str(number + 1)] for number in range(count)]
        if kind == "list":
            return [query_shaped(entry, shape.member, ec2, ec2) for entry in entries]
        key, value = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
        read = []
        for entry in entries:
            refuse_unless(set(entry) == {key, value} and set(entry[key]) == {""}, "no entry of a map")
            read.append((entry[key][""], query_shaped(entry[value], shape.value, ec2)))
        return once(read, "the map")
    refuse_unless(set(node) == {""}, "one value where there are several")
    return scalar(node[""], shape)


def xml_shaped(element, shape):
    kind = shape.type_name
    if kind == "structure":
        refuse_unless(element.children or not element.text.strip(" \t\r\n"), "text instead of elements")
        names = {m.serialization.get("name", name): (name, m) for name, m in shape.members.items()
                 if not m.serialization.get("location") and not m.serialization.get("xmlAttribute")}
        groups = {}
        for child in element.children:
            groups.setdefault(child.name, []).append(child)
        read = {}
        for wire, group in groups.items():
            if wire not in names:
                refuse_unless(not near(wire, names), f"`{wire}` in another case")
                continue
            name, member = names[wire]
            if member.type_name == "list" and member.serialization.get("flattened"):
                read[name] = [xml_shaped(child, member.member) for child in group]
            else:
                refuse_unless(len(group) == 1, "an element twice")
                read[name] = xml_shaped(group[0], member)
        return read
    if kind == "list":
        refuse_unless(element.children or not element.text.strip(" \t\r\n"), "text instead of elements")
        name = shape.member.serialization.get("name", "member")
        refuse_unless(all(child.name == name for child in element.children), "another element in a list")
        return [xml_shaped(child, shape.member) for child in element.children]
    if kind == "map":
        raise Unjudged("a map in XML")
    refuse_unless(not element.children, "one value where there are several")
    return scalar(element.text, shape)


# MARK: The call

class Reading:
    def __init__(self, service, operation, parameters, region):
        self.service, self.operation, self.parameters, self.region = service, operation, parameters, region


def allowed(service, outside):
    refuse_unless(outside.services is None or service in outside.services, "the key names another service than the outside")


def read(line):
    """The strict reading of a line of `debug recognize`."""
    body = base64.b64decode(line.get("body_b64") or "")
    head = Head(line, body)
    framed = is_framed(head)
    if framed:
        body = unframed(head, body)
    outside = Outside(head)
    packed = (head.get("content-encoding") or "").lower() == "gzip"
    target, cbor = head.get("x-amz-target"), head.get("smithy-protocol")
    is_form = head.media_type == "application/x-www-form-urlencoded"
    if packed and (target or cbor or is_form):
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            raise Refused("no gzip") from None
        head.fields.pop("content-encoding")
    at_root = head.path == "/" or re.match(r"/\d{12}/[^/]+\Z", head.path)
    form = items(text_of(body, "the form")) if is_form and at_root else []
    has_action = any(name.lower() == "action" for name, _ in form + head.query)
    refuse_unless((target is not None) + (cbor is not None) + (has_action and bool(at_root)) <= 1, "two dispatch keys")
    if target is not None:
        refuse_unless(not is_form, "a form with a target")
        reading = by_target(target, head, outside, body)
    elif cbor is not None:
        reading = by_cbor(cbor, head, outside, body)
    elif has_action and at_root:
        reading = by_action(form, is_form, head, outside, body)
    else:
        reading = by_path(head, outside, body)
    refuse_unless(not framed or (reading.service, reading.operation) in UPLOADS, "aws-chunked where none is taken")
    if packed and body and reading.service != "s3":
        refuse_unless((reading.service, reading.operation) == ("cloudwatch", "PutMetricData"), "gzip where none is taken")
    return reading


def by_target(target, head, outside, body):
    refuse_unless(head.method == "POST" and head.path == "/" and not head.query, "no POST to /")
    refuse_unless(JSON_TYPE.match(head.media_type), "another content type")
    refuse_unless(outside.bucket is None, "something before the host")
    prefix, _, name = target.rpartition(".")
    found = [s for s in SERVICES if model(s).metadata.get("targetPrefix") == prefix and "json" in protocols(s)]
    if not found:
        raise Unjudged("a target of no service that is read here")
    refuse_unless(name in model(found[0]).operation_names, "no operation")
    allowed(found[0], outside)
    head.check_text()
    shape = model(found[0]).operation_model(name).input_shape
    value = read_json(body) if body else {}
    refuse_unless(isinstance(value, dict), "no object")
    return Reading(found[0], name, shaped(value, shape) if shape else {}, outside.region)


def by_cbor(protocol, head, outside, body):
    match = re.match(r"/service/([^/]+)/operation/([^/]+)\Z", head.path)
    refuse_unless(protocol == "rpc-v2-cbor" and head.method == "POST" and match and not head.query, "no CBOR call")
    refuse_unless(outside.bucket is None, "something before the host")
    found = [s for s in SERVICES if model(s).metadata.get("targetPrefix") == match.group(1)
             and "smithy-rpc-v2-cbor" in protocols(s)]
    if not found:
        raise Unjudged("a CBOR service that is not read here")
    name = match.group(2)
    refuse_unless(name in model(found[0]).operation_names, "no operation")
    allowed(found[0], outside)
    head.check_text()
    refuse_unless(not body or head.media_type == "application/cbor", "another content type")
    shape = model(found[0]).operation_model(name).input_shape
    value = CBOR(body).value if body else {}
    refuse_unless(isinstance(value, dict), "no map")
    return Reading(found[0], name, shaped(value, shape, wire=False) if shape else {}, outside.region)


def by_action(form, is_form, head, outside, body):
    refuse_unless(not (form and head.query), "parameters in the query and in the form")
    refuse_unless(head.method in ("GET", "POST") and (is_form or not body), "no form")
    refuse_unless(head.method == "POST" or not body, "a GET with a body")
    refuse_unless(outside.bucket is None, "something before the host")
    named = once(form + head.query, "the form")
    for name in named:
        first = folded(re.split(r"[.\[]", name)[0])
        refuse_unless(first not in ("action", "version", "operation") or name in ("Action", "Version"), "a second key")
    refuse_unless(named.get("Action") and named.get("Version"), "no Action, or no Version")
    action, version = named.pop("Action"), named.pop("Version")
    found = [s for s in SERVICES if model(s).api_version == version and protocols(s) & {"query", "ec2"}
             and action in model(s).operation_names]
    if not found:
        raise Unjudged("an Action and Version of no service that is read here")
    service = found[0]
    allowed(service, outside)
    head.check_text()
    shape = model(service).operation_model(action).input_shape
    if service == "sqs":
        # Today's model has the names of the JSON form; of the older one only the queue matters here.
        refuse_unless(not any(near(name, ["QueueUrl"]) and name != "QueueUrl" for name in named), "a queue in another case")
        refuse_unless(not any(name.startswith("QueueUrl.") for name in named), "a queue with members")
        parameters = {"QueueUrl": named["QueueUrl"] or ""} if "QueueUrl" in named else {}
        tree(named)
    else:
        parameters = query_shaped(tree(named), shape, "ec2" in protocols(service)) if shape else {}
    if head.path != "/":
        refuse_unless(service == "sqs" and shape and "QueueUrl" in shape.members, "a path with an Action")
        path = unescaped(head.path, "the path")
        refuse_unless(parameters.setdefault("QueueUrl", path).endswith(path), "two queues")
    return Reading(service, action, parameters, outside.region)


def by_path(head, outside, body):
    if not outside.services:
        raise Unjudged("nothing says the service")
    for service in outside.services:
        if protocols(service) & {"rest-json", "rest-xml"}:
            return Rest(service, head, outside, body).reading()
    raise Refused("no call of this service")


class Rest:
    def __init__(self, service, head, outside, body):
        self.service, self.head, self.body, self.region = service, head, body, outside.region
        self.path = head.path
        if outside.bucket is not None:
            refuse_unless(service == "s3" and re.match(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z", outside.bucket), "something before the host")
            self.path = f"/{outside.bucket}{head.path}"

    def reading(self):
        fits = []
        for name in model(self.service).operation_names:
            operation = model(self.service).operation_model(name)
            labels = self.labels(operation)
            if labels is not None and not operation.deprecated:
                fits.append((self.weight(operation), name, operation, labels))
        refuse_unless(fits, "no operation has this path")
        best = max(weight for weight, *_ in fits)
        chosen = [fit for fit in fits if fit[0] == best]
        if len(chosen) > 1:
            raise Unjudged("several operations: " + ", ".join(fit[1] for fit in chosen))
        _, name, operation, labels = chosen[0]
        return Reading(self.service, name, self.parameters(operation, labels), self.region)

    def template(self, operation):
        path, _, query = operation.http["requestUri"].partition("?")
        literals = dict((piece.partition("=")[0], piece.partition("=")[2]) for piece in query.split("&") if piece)
        return path, literals

    def labels(self, operation):
        if operation.http["method"] != self.head.method:
            return None
        path, literals = self.template(operation)
        names = {name for name, _ in self.head.query}
        values = dict(self.head.query)
        if any(name not in names or literal and values[name] != literal for name, literal in literals.items()):
            return None
        members = operation.input_shape.members if operation.input_shape else {}
        for required in operation.input_shape.required_members if members else ():
            place = members[required].serialization
            if place.get("location") == "querystring" and place["name"] not in names:
                return None
            if place.get("location") == "header" and place["name"].lower() not in self.head.fields:
                return None
        return self.filled(path)

    def filled(self, template):
        def literal(step):
            return "".join(f"(?:{re.escape(c)}|%{ord(c):02x}|%{ord(c):02X})" for c in step)

        pattern = "".join(
            "/(.+)" if step.endswith("+}") else "/([^/]+)" if step.startswith("{") else "/" + literal(step)
            for step in template.split("/")[1:])
        found = re.match(pattern + r"\Z", self.path) or re.match(pattern + r"/\Z", self.path)
        if self.service != "s3" and not found and template.endswith("/"):
            found = re.match(pattern.removesuffix("/") + r"\Z", self.path)
        if not found:
            return None
        names = [step.strip("{+}") for step in template.split("/") if step.startswith("{")]
        labels = {name: unescaped(value, "the path") for name, value in zip(names, found.groups())}
        if self.service == "s3":
            refuse_unless(re.match(r"(?!\.+\Z)[A-Za-z0-9._-]{3,255}\Z", labels.get("Bucket", "abc")), "no bucket")
            depth = 0
            for step in labels.get("Key", "").split("/"):
                depth += -1 if step == ".." else step not in ("", ".")
                refuse_unless(depth >= 0, "a key that climbs out of its bucket")
        else:
            for value in labels.values():
                refuse_unless(value not in (".", ".."), "a dot segment")
        refuse_unless(not any(re.search(r"[\x00-\x1f\x7f]", value) for value in labels.values()), "a control character")
        return labels

    def weight(self, operation):
        path, literals = self.template(operation)
        steps = path.split("/")
        members = operation.input_shape.members if operation.input_shape else {}
        required = [members[name].serialization.get("location") for name in (
            operation.input_shape.required_members if members else ())]
        return (sum(not step.startswith("{") for step in steps), -sum(step.endswith("+}") for step in steps), len(literals),
                required.count("querystring"), required.count("header"))

    def parameters(self, operation, labels):
        shape = operation.input_shape
        _, literals = self.template(operation)
        allowed_names, read = {*literals, "x-id"}, {}
        members = shape.members if shape else {}
        for name, member in members.items():
            place, wire = member.serialization.get("location"), member.serialization.get("name", name)
            if place == "uri":
                read[name] = labels[wire]
            elif place == "querystring":
                if member.type_name == "map":
                    raise Unjudged("a map in the query")
                allowed_names.add(wire)
                values = [value for key, value in self.head.query if key == wire]
                if values and member.type_name == "list":
                    read[name] = [scalar(value or "", member.member) for value in values]
                elif values:
                    refuse_unless(len(values) == 1, "a query name twice")
                    read[name] = scalar(values[0] or "", member)
            elif place == "header" and self.head.get(wire.lower()) is not None and member.type_name != "list":
                text = self.head.get(wire.lower())
                read[name] = text if member.serialization.get("jsonvalue") else scalar(text, member)
        unknown = [name for name, _ in self.head.query if name not in allowed_names]
        refuse_unless(not unknown, f"unknown query names {unknown}")
        for literal in literals:
            refuse_unless(sum(name == literal for name, _ in self.head.query) == 1, "a subresource twice")
        return {**read, **self.document(shape)}

    def document(self, shape):
        members = shape.members if shape else {}
        payload = shape.serialization.get("payload") if shape else None
        bound = {name: m for name, m in members.items() if not m.serialization.get("location")}
        if not self.body or not bound:
            refuse_unless(not self.body or bound, "a body where there is none")
            return {}
        is_xml = "rest-xml" in protocols(self.service)
        target = members[payload] if payload else None
        if payload and target.type_name not in ("structure", "list", "map"):
            return {payload: self.body}
        self.head.check_text()
        refuse_unless(self.head.media_type not in (
            "application/x-www-form-urlencoded", "application/cbor", "multipart/form-data",
            *(("application/json",) if is_xml else ("application/xml", "text/xml"))), "another content type")
        if is_xml:
            root = read_xml(self.body)
            if payload:
                refuse_unless(root.name == target.serialization.get("name", payload), "another root")
                return {payload: xml_shaped(root, target)}
            return xml_shaped(root, shape)
        value = read_json(self.body)
        refuse_unless(isinstance(value, dict), "no object")
        if payload:
            return {payload: shaped(value, target)}
        return {name: inner for name, inner in shaped(value, shape).items() if name in bound}
