"""The AWS service models, as botocore carries them, read into plain values.

Only what a request needs is kept: services, operations, and every shape that an input reaches. Shapes are given
numbers; two shapes that look the same from outside, all the way down, get the same number, whichever service they
come from.
"""
import hashlib
import os
import re
from dataclasses import dataclass, field

import botocore.loaders

import hosted

PROTOCOLS = {"json": "json", "rest-json": "restJSON", "rest-xml": "restXML", "query": "query", "ec2": "ec2",
             "smithy-rpc-v2-cbor": "rpcV2CBOR"}
KINDS = ["structure", "list", "map", "string", "blob", "boolean", "integer", "long", "float", "double", "timestamp",
         "document"]
LOCATIONS = ["body", "uri", "query", "header", "headers", "queryMap", "payload"]
TIMESTAMPS = {None: 0, "unixTimestamp": 1, "iso8601": 2, "rfc822": 3}
MEMBER_FLAGS = {"required": 1, "idempotencyToken": 2, "flattened": 4, "jsonValue": 8, "hostLabel": 16, "streaming": 32,
                "eventStream": 64, "queryName": 128}
SHAPE_FLAGS = {"flattened": 1, "union": 2, "eventStream": 4, "streaming": 8, "sensitive": 16, "sparse": 32}


@dataclass
class Operation:
    service: "Service"
    name: str
    method: str
    template: str  # path and query literals, as the model writes them
    host_prefix: str
    input_name: str | None
    output_name: str | None
    flags: set
    deprecated: bool
    rule_parameters: dict = field(default_factory=dict)  # what the model gives the endpoint rules for this operation
    has_bucket: bool = False  # whether the endpoint rules see its Bucket
    tokens: list = field(default_factory=list)  # paths of the members that SDKs fill with a fresh token
    input: int | None = None  # number of the shape
    actions: list = field(default_factory=list)
    sensitivity: str = "unrated"
    keys: dict = field(default_factory=dict)  # {condition key: (how it is known, member path)}

    @property
    def path(self):
        return self.template.partition("?")[0]

    @property
    def query_literals(self):
        query = self.template.partition("?")[2]
        return [(name, value if equals else None)
                for name, equals, value in (pair.partition("=") for pair in query.split("&") if pair)]


@dataclass
class Service:
    name: str
    model: dict
    protocols: list
    signing_name: str
    api_version: str
    target_prefix: str
    operations: list = field(default_factory=list)
    aliases: list = field(default_factory=list)
    iam_prefix: str = ""
    flags: set = field(default_factory=set)
    host_patterns: list = field(default_factory=list)  # what hosts of its resources look like

    @property
    def shapes(self):
        return self.model["shapes"]

    @property
    def is_rest(self):
        return bool({"restJSON", "restXML"} & set(self.protocols))

    def input_members(self, operation):
        return self.shapes[operation.input_name].get("members", {}) if operation.input_name else {}


def load(exceptions):
    """Every service of the pinned botocore and of hosted.json, by name."""
    loader = botocore.loaders.Loader(include_default_search_paths=False, extra_search_paths=[botocore_data()])
    models = {name: loader.load_service_model(name, "service-2") for name in loader.list_available_services("service-2")}
    own = hosted.models()
    if own.keys() & models.keys():
        raise ValueError(f"hosted.json: botocore has {sorted(own.keys() & models.keys())} by now")
    return [read_service(name, row, exceptions) for name, row in sorted({**models, **own}.items())]


def botocore_data():
    return os.path.join(os.path.dirname(botocore.loaders.__file__), "data")


def read_service(name, model, exceptions):
    metadata = model["metadata"]
    listed = metadata.get("protocols") or [metadata["protocol"]]
    protocols = []
    for protocol in listed:
        mark = PROTOCOLS[protocol]
        if mark == "json":
            mark = "awsJSON10" if metadata.get("jsonVersion") == "1.0" else "awsJSON11"
        protocols.append(mark)
    protocols += exceptions["extraProtocols"].get(name, {}).get("protocols", [])
    service = Service(
        name=name, model=model, protocols=protocols,
        signing_name=metadata.get("signingName", metadata["endpointPrefix"]),
        api_version=metadata["apiVersion"], target_prefix=metadata.get("targetPrefix", ""))
    if "awsQueryCompatible" in metadata:
        service.flags.add("queryCompatible")
    if metadata["signatureVersion"] == "bearer":
        service.flags.add("bearer")
    if metadata["signatureVersion"] == "v2":
        service.flags.add("signatureV2")
    if name in exceptions["perResourceHosts"]["services"]:
        service.flags.add("perResourceHost")
    if name in exceptions["methodActions"]["services"]:
        service.flags.add("pathResource")
    service.aliases = exceptions["signingAliases"]["services"].get(name, [])
    service.host_patterns = exceptions["resourceHosts"]["rows"].get(name, [])
    for key in sorted(model["operations"]):
        service.operations.append(read_operation(service, key, model["operations"][key]))
        service.operations[-1].host_prefix = exceptions["hostPrefixes"]["rows"].get(name, {}).get(
            key, service.operations[-1].host_prefix)
    return service


def read_operation(service, name, row):
    flags = set()
    if row.get("authtype") == "none" or row.get("auth") == ["smithy.api#noAuth"]:
        flags.add("noAuth")
    if row.get("authtype") == "v4-unsigned-body" or row.get("unsignedPayload"):
        flags.add("unsignedPayload")
    if row.get("deprecated"):
        flags.add("deprecated")
    input_name = row.get("input", {}).get("shape")
    output_name = row.get("output", {}).get("shape")
    shapes = service.shapes
    if input_name:
        flags |= {mark + "In" for mark in stream_marks(shapes, input_name)}
    if output_name:
        flags |= {mark + "Out" for mark in stream_marks(shapes, output_name)}
    if not input_name or has_no_body(service, shapes[input_name]):
        flags.add("bodyless")
    template = row["http"]["requestUri"]
    if not {"restJSON", "restXML"} & set(service.protocols):
        template = "/"
    return Operation(
        service=service, name=name, method=row["http"]["method"], template=template,
        host_prefix=row.get("endpoint", {}).get("hostPrefix", ""), input_name=input_name, output_name=output_name,
        flags=flags, deprecated=bool(row.get("deprecated")),
        tokens=token_paths(shapes, input_name) if input_name else [],
        rule_parameters={key: value["value"] for key, value in row.get("staticContextParams", {}).items()},
        has_bucket=bool(input_name) and any(
            member.get("contextParam", {}).get("name") == "Bucket"
            for member in shapes[input_name].get("members", {}).values()))


def token_paths(shapes, name):
    """Where the input, all the way down, has idempotency tokens; each structure is told where it is first met."""
    found, waiting, seen = [], [(name, "")], set()
    while waiting:
        name, path = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for member_name, member in shapes[name].get("members", {}).items():
            spot, target = path + member_name, member["shape"]
            if member.get("idempotencyToken"):
                found.append(spot)
            while shapes[target]["type"] in ("list", "map"):
                part, mark = ("member", "[]") if shapes[target]["type"] == "list" else ("value", "{}")
                spot, target = spot + mark, shapes[target][part]["shape"]
            if shapes[target]["type"] == "structure":
                waiting.append((target, spot + "."))
    return found


def stream_marks(shapes, name):
    marks = set()
    for member in shapes[name].get("members", {}).values():
        target = shapes[member["shape"]]
        if target.get("eventstream"):
            marks.add("eventStream")
        elif target.get("streaming") or member.get("streaming"):
            marks.add("stream")
    return marks


def has_no_body(service, shape):
    if not {"restJSON", "restXML"} & set(service.protocols):
        return False  # the protocol itself writes a body: {} or Action=...
    if shape.get("payload"):
        return False
    return all(member.get("location") for member in shape.get("members", {}).values())


class ShapePool:
    """Numbers for shapes, equal for shapes that read alike."""

    def __init__(self, exceptions):
        self.exceptions = exceptions
        self.nodes = {}  # (service, shape name) -> local form with references as keys
        self.numbers = {}
        self.rows = []

    def add(self, service, name):
        """Takes in a shape and all it reaches; its number is known after `settle`."""
        waiting = [name]
        while waiting:
            current = waiting.pop()
            key = (service.name, current)
            if key in self.nodes:
                continue
            form = self.form(service, current)
            self.nodes[key] = form
            waiting += [reference for reference in references(form)]

    def form(self, service, name):
        shape = service.shapes[name]
        kind = shape["type"]
        if shape.get("document"):
            kind = "document"
        flags = 0
        for mark, present in (("flattened", shape.get("flattened")), ("union", shape.get("union")),
                              ("eventStream", shape.get("eventstream")), ("streaming", shape.get("streaming")),
                              ("sensitive", shape.get("sensitive")), ("sparse", shape.get("sparse"))):
            flags |= SHAPE_FLAGS[mark] if present else 0
        timestamp = TIMESTAMPS[shape.get("timestampFormat")]
        names = self.exceptions["extraProtocols"].get(service.name, {})
        if kind == "structure":
            required = set(shape.get("required", []))
            members = tuple(self.member(service, name, shape, member_name, member, member_name in required, names)
                            for member_name, member in shape.get("members", {}).items())
            return ("structure", flags, 0, members)
        if kind == "list":
            return ("list", flags, 0, shape["member"].get("locationName", ""), shape["member"]["shape"])
        if kind == "map":
            key_name = shape["key"].get("locationName", "") or names.get("mapKeys", {}).get(name, "")
            value_name = shape["value"].get("locationName", "") or names.get("mapValues", {}).get(name, "")
            return ("map", flags, 0, key_name, value_name, shape["key"]["shape"], shape["value"]["shape"])
        return (kind, flags, timestamp)

    def member(self, service, parent_name, parent, name, member, required, names):
        target = service.shapes[member["shape"]]
        location = member.get("location")
        flags = MEMBER_FLAGS["required"] if required else 0
        for mark, present in (("idempotencyToken", member.get("idempotencyToken")),
                              ("flattened", member.get("flattened") or target.get("flattened")),
                              ("jsonValue", member.get("jsonvalue")), ("hostLabel", member.get("hostLabel")),
                              ("streaming", member.get("streaming") or target.get("streaming")),
                              ("eventStream", target.get("eventstream"))):
            flags |= MEMBER_FLAGS[mark] if present else 0
        place = "body"
        if location == "uri":
            place = "uri"
        elif location == "querystring":
            place = "queryMap" if target["type"] == "map" else "query"
        elif location == "header":
            place = "header"
        elif location == "headers":
            place = "headers"
        elif location:
            raise ValueError(f"unknown location {location} of {service.name}.{name}")
        elif parent.get("payload") == name:
            place = "payload"
        wire = member.get("locationName", name)
        if "ec2" in service.protocols:
            # The ec2 protocol: queryName, else the location name with a capital, else the member's own name.
            wire = member.get("queryName") or (wire[:1].upper() + wire[1:] if "locationName" in member else name)
        query_name = names.get("members", {}).get(name, "")
        if name == "Entries":
            query_name = names.get("entries", {}).get(parent_name, "")
        if query_name:
            flags |= MEMBER_FLAGS["queryName"]
        return (name, wire, LOCATIONS.index(place), flags, query_name, member["shape"])

    def settle(self):
        """Numbers every shape: equal local forms first, then split until references agree too."""
        classes = {}
        for key, form in self.nodes.items():
            classes[key] = digest(repr(without_references(form)))
        count = len(set(classes.values()))
        while True:
            refined = {}
            for key, form in self.nodes.items():
                inner = [classes[(key[0], reference)] for reference in references(form)]
                refined[key] = digest(classes[key] + "|" + "|".join(inner))
            classes = refined
            refined_count = len(set(classes.values()))
            if refined_count == count:
                break
            count = refined_count
        first = {}
        for key in sorted(self.nodes):
            first.setdefault(classes[key], key)
        order = sorted(first.values())
        number = {classes[key]: index for index, key in enumerate(order)}
        self.numbers = {key: number[classes[key]] for key in self.nodes}
        self.rows = [(key[0], self.nodes[key]) for key in order]

    def number(self, service, name):
        return self.numbers[(service.name, name)]


def references(form):
    if form[0] == "structure":
        return [member[5] for member in form[3]]
    if form[0] == "list":
        return [form[4]]
    if form[0] == "map":
        return [form[5], form[6]]
    return []


def without_references(form):
    if form[0] == "structure":
        return (form[0], form[1], form[2], tuple(member[:5] for member in form[3]))
    if form[0] == "list":
        return form[:4]
    if form[0] == "map":
        return form[:5]
    return form


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


def segments(path):
    """The segments of a path template after its first slash: ("literal", text), ("label", name) or ("greedy", name)."""
    found = []
    for segment in path[1:].split("/"):
        match = LABEL.fullmatch(segment)
        if match:
            found.append(("greedy" if match[2] else "label", match[1]))
        elif "{" in segment or "}" in segment:
            raise ValueError(f"a segment that is partly a label: {path}")
        else:
            found.append(("literal", segment))
    return found
