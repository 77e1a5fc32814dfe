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
        self.rating_text, self.rows = read("sensitivity.json")
        self.vending_text, self.vending = read("vending.json")

    @property
    def digest_text(self):
        return self.rating_text + self.vending_text

    def apply(self, services):
        """Sets sensitivity and the credential flags; a service without a row stays unrated."""
        known = {service.name for service in services}
        for name in [*self.rows["services"], *self.vending["rows"]]:
            if name not in known:
                raise ValueError(f"sensitivity.json, vending.json: no service {name}")
        for service in services:
            if service.name in self.rows["services"]:
                rate(service, self.rows["services"][service.name])
            self.mark_vending(service)
        unrated = [service.name for service in services if service.name not in self.rows["services"]]
        return unrated

    def mark_vending(self, service):
        listed = self.vending["rows"].get(service.name, [])
        names = {operation.name for operation in service.operations}
        for name in listed:
            if name not in names or listed.count(name) > 1:
                raise ValueError(f"vending.json: {service.name}.{name} is unknown or twice there")
        for operation in service.operations:
            if reply_carries_keys(service, operation):
                operation.flags |= {"replyCarriesKeys", "vendsCredentials"}
            if operation.name in listed:
                operation.flags.add("vendsCredentials")
            if "vendsCredentials" in operation.flags:
                operation.sensitivity = "credential"


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


def reply_carries_keys(service, operation):
    """Whether the output, all the way down, has a secret access key or a session token."""
    waiting, seen = [operation.output_name] if operation.output_name else [], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        shape = service.shapes[name]
        for member_name, member in shape.get("members", {}).items():
            if re.sub("[^a-z]", "", member_name.lower()) in SECRET_NAMES:
                return True
            waiting.append(member["shape"])
        waiting += [shape[part]["shape"] for part in ("member", "key", "value") if part in shape]
    return False
