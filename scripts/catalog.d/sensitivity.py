"""What a call shows or carries: metadata, data or credentials, and which replies hold credentials.

sensitivity.json rates each service by names and patterns of its operations; vending.json lists the operations whose
reply hands out a credential. Both are written by hand and reviewed like code, and read strictly: what names nothing,
says a thing twice or leaves an operation of a rated service out is refused.
"""
import hashlib
import json
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
LEVELS = ["metadata", "data", "credential"]
SECRET_NAMES = {"secretaccesskey", "awssecretaccesskey", "secretkey", "sessiontoken"}


class Ratings:
    """The two files, applied to the services by `apply`."""

    def __init__(self):
        self.rating_text, self.ratings = read("sensitivity.json")
        self.vending_text, self.vending = read("vending.json")

    @property
    def digest_text(self):
        return self.rating_text + self.vending_text

    def apply(self, services):
        """Sets sensitivity and the credential flags. The services without a row, which stay unrated."""
        rows = self.ratings["services"]
        known = {service.name for service in services}
        for section in (rows, *(self.vending[name] for name in ("passedOver", "rows", "presigned", "unsigned"))):
            for name in section:
                if name not in known:
                    raise ValueError(f"sensitivity.json, vending.json: no service {name}")
        for service in services:
            if service.name in rows:
                rate(service, rows[service.name])
        Vending(self.vending).mark(services)
        return [service.name for service in services if service.name not in rows]


class Vending:
    """Which replies hand out a credential, and which requests carry or need no signature."""

    def __init__(self, rows):
        self.rows = rows
        self.endings = tuple(rows["endings"])
        self.harmless = {name for names in rows["harmless"].values() for name in names}
        self.used = set()  # endings, harmless names and passed over members that met a reply

    def mark(self, services):
        for service in services:
            listed = self.rows["rows"].get(service.name, {})
            names = [operation.name for operation in service.operations]
            for name in listed:
                if name not in names:
                    raise ValueError(f"vending.json, rows: no operation {service.name}.{name}")
            for operation in service.operations:
                self.mark_operation(service, operation, listed.get(operation.name))
            self.check_requests(service)
        self.check_unused()

    def mark_operation(self, service, operation, source):
        members = dict(leaves(service, operation.output_name))
        if any(letters(path) in SECRET_NAMES for path in members):
            operation.flags |= {"replyCarriesKeys", "vendsCredentials"}
        passed_over = self.rows["passedOver"].get(service.name, {})
        for path, kind in members.items():
            name, member = letters(path), path.rpartition(".")[2]
            ending = next((ending for ending in self.endings if name.endswith(ending)), None)
            if kind not in ("string", "blob") or not ending:
                continue
            self.used |= {ending, name}
            if name not in self.harmless and member in passed_over:
                self.used.add((service.name, member))
            elif name not in self.harmless and not source and "replyCarriesKeys" not in operation.flags:
                raise ValueError(f"vending.json: the reply to {service.name}.{operation.name} has `{path}`: "
                                 "give it a row, or say why it is passed over")
        if source:
            if not source.startswith("- ") and source not in members:
                raise ValueError(f"vending.json: the reply to {service.name}.{operation.name} has no `{source}`")
            operation.flags.add("vendsCredentials")
        if "vendsCredentials" in operation.flags and operation.sensitivity not in ("credential", "unrated"):
            raise ValueError(f"{service.name}.{operation.name} vends credentials and is rated {operation.sensitivity}")

    def check_requests(self, service):
        """Refuses a list of presigned or unsigned requests that is not what the model says."""
        presigned = [operation.name for operation in service.operations
                     if any(letters(path) == "presignedurl" for path, _ in leaves(service, operation.input_name))]
        unsigned = [operation.name for operation in service.operations if "noAuth" in operation.flags]
        for section, found in (("presigned", presigned), ("unsigned", unsigned)):
            if self.rows[section].get(service.name, []) != found:
                raise ValueError(f"vending.json, {section}: {service.name} has {found}")
        for operation in service.operations:
            if operation.name in presigned and operation.sensitivity == "metadata":
                raise ValueError(f"{service.name}.{operation.name} carries a presigned URL and is rated metadata")

    def check_unused(self):
        wanted = {*self.endings, *self.harmless}
        wanted |= {(service, member) for service, row in self.rows["passedOver"].items() for member in row}
        if wanted - self.used:
            raise ValueError(f"vending.json: no reply has {sorted(map(str, wanted - self.used))}")


def read(name):
    """The bytes of a file beside this one and its JSON, in which no name stands twice."""
    def without_duplicates(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError(f"{name}: a name twice among {[key for key, _ in pairs]}")
        return dict(pairs)

    with open(os.path.join(HERE, name), "rb") as file:
        text = file.read()
    return text, json.loads(text, object_pairs_hook=without_duplicates)


def names_digest(service):
    """How many operations the service has, and a digest of their names: what the rating was written for."""
    names = "\n".join(sorted(operation.name for operation in service.operations))
    return f"{len(service.operations)} {hashlib.sha256(names.encode()).hexdigest()[:8]}"


def rate(service, row):
    """Rates every operation of the service by the strictest entry that matches its name.

    Patterns are read against the operations that existed then: `read` pins their names, so that an operation that AWS
    adds never takes the rating of a pattern that nobody read it against.
    """
    if row["read"] != names_digest(service):
        raise ValueError(f"sensitivity.json: {service.name} was read as `{row['read']}` and is now "
                         f"`{names_digest(service)}`: read its new operations, rate them, and change `read`")
    if list(row) not in [["read"] + [level for level in LEVELS if level in row]]:
        raise ValueError(f"sensitivity.json: {service.name} has the keys {list(row)}")
    decided, entries = {}, set()
    for level in reversed(LEVELS):
        for entry in row.get(level, []):
            pattern = re.compile(re.escape(entry).replace(r"\*", ".*"))
            found = [operation.name for operation in service.operations if pattern.fullmatch(operation.name)]
            fresh = [name for name in found if name not in decided]
            if entry in entries or not fresh or ("*" not in entry and decided.get(entry)):
                raise ValueError(f"sensitivity.json: {service.name}, {level}: `{entry}` decides nothing")
            entries.add(entry)
            decided.update(dict.fromkeys(fresh, level))
    for operation in service.operations:
        if operation.name not in decided:
            raise ValueError(f"sensitivity.json: {service.name}.{operation.name} is not rated")
        operation.sensitivity = decided[operation.name]


def letters(path):
    """The last name of a path, as letters in lower case."""
    return re.sub("[^a-z]", "", path.rpartition(".")[2].lower())


def leaves(service, shape_name):
    """(path, kind) of every member under a shape, each shape at the first place it is met; lists and maps add no step."""
    waiting, seen = [(shape_name, "")] if shape_name else [], set()
    while waiting:
        name, path = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        shape = service.shapes[name]
        for member_name, member in shape.get("members", {}).items():
            yield path + member_name, element_kind(service, member["shape"])
            waiting.append((member["shape"], path + member_name + "."))
        waiting += [(shape[part]["shape"], path) for part in ("member", "key", "value") if part in shape]


def element_kind(service, name):
    """The kind of the shape, or of what its lists and maps hold."""
    shape = service.shapes[name]
    while shape["type"] in ("list", "map"):
        shape = service.shapes[(shape.get("member") or shape["value"])["shape"]]
    return shape["type"]
