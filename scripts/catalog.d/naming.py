"""What a person says of the names in a service's calls, where the automatic rule of iam.py is not enough.

One file a service, naming/<client name>.json (naming/README.md has the form). Everything a row names must exist: the
service, the operation, the resource type, the variable, every member of a path.
"""
import json
import os
import re
from dataclasses import dataclass, field, replace

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "naming")
PLACE = ("Partition", "Region", "Account")
VARIABLE = re.compile(r"\$\{([^}]+)\}")
PATH = re.compile(r"[A-Za-z0-9_-]+(\[\]|\{\})*(\.\*\*)?(\.[A-Za-z0-9_-]+(\[\]|\{\})*)*$")
# What a transform does is said where it is done: Sources/Recognizing/ResourceNaming/ValueSource.swift.
TRANSFORM = re.compile(
    r"(arn|after|before|begins|id|last|first|rest|only|not|plain|then)\(([^()]*)\)$|(lower|upper|global|plain|account|sixth|owner|home)$")
CONDITION = re.compile(r"(!?)(\S+?)(?:(=|\^=|\*=|\$=)'([^']*)')?$")


class NamingError(ValueError):
    pass


def choices(source):
    """The alternatives of a source text: (literal, None) or (path, transforms)."""
    found = []
    for choice in source.split(" | "):
        if len(choice) >= 2 and choice[0] == choice[-1] == "'":
            found.append((choice[1:-1], None))
            continue
        path, *transforms = choice.split(" ~ ")
        if not PATH.match(path) or not all(TRANSFORM.match(one) for one in transforms):
            raise NamingError(f"`{source}` is no source of a value")
        found.append((path, transforms))
    return found


def reaches(service, operation, path):
    """Whether the input of `operation` has a member at `path`."""
    shapes, name = service.shapes, operation.input_name
    path, deep, rest = path.partition(".**.")
    for step in path.split("."):
        member = re.match(r"[A-Za-z0-9_-]+", step)[0]
        if not name or shapes[name]["type"] != "structure" or member not in shapes[name].get("members", {}):
            return False
        name = shapes[name]["members"][member]["shape"]
        for mark in re.findall(r"\[\]|\{\}", step):
            if shapes[name]["type"] != ("list" if mark == "[]" else "map"):
                return False
            name = shapes[name]["member" if mark == "[]" else "value"]["shape"]
    # At any depth: some structure of the service has the member.
    return not deep or any(rest.split(".")[0] in shape.get("members", {}) for shape in shapes.values())


def conditions(text):
    """The paths that a condition looks at."""
    found = []
    for one in re.split(" & | or ", text):
        match = CONDITION.match(one)
        if not match or not PATH.match(match[2]):
            raise NamingError(f"`{text}` is no condition")
        found.append(match[2])
    return found


def unions(resource):
    """A resource for each part of its unions (` + `); only the first must be there."""
    def part(source, number):
        parts = source.split(" + ")
        return parts[number] if len(parts) > 1 and number < len(parts) else parts[0]

    count = max(source.count(" + ") + 1 for source in [resource.arn_path, *(source for _, source in resource.fills)])
    return [replace(resource, fills=tuple((name, part(source, number)) for name, source in resource.fills),
                    arn_path=part(resource.arn_path, number), required=resource.required and number == 0)
            for number in range(count)]


@dataclass
class ActionRow:
    """One action of an operation's row: when it is needed, and of which types its resources are."""
    action: str
    condition: str = ""
    types: dict | None = None  # only these; None: all that the reference lists
    star: bool = False


@dataclass
class ServiceRow:
    """The file of one service."""
    name: str
    fills: dict = field(default_factory=dict)
    types: dict = field(default_factory=dict)
    operations: dict = field(default_factory=dict)
    used: set = field(default_factory=set)

    def actions(self, operation, key="actions"):
        """The rows of the operation's `actions` or `also`; None when the file does not state them."""
        row = self.operations.get(operation.name, {})
        if key not in row:
            return None
        found = []
        for one in row[key]:
            if isinstance(one, str):
                one = {"action": one}
            self.keys(one, ("action", "when", "types", "star"), operation.name)
            found.append(ActionRow(one["action"], one.get("when", ""), one.get("types"), one.get("star", False)))
        return found

    def tags(self, operation):
        """The types that the operation's tags are for; False for none, None for what the rule for tags finds."""
        return self.operations.get(operation.name, {}).get("tags")

    def is_star_unnamed(self, operation):
        """Whether the operation's action is on `*` where the request names none of its types."""
        return self.operations.get(operation.name, {}).get("unnamed") == "star"

    def resources(self, service, operation, found, own):
        """`found` of the automatic rule, as the rows for the service, the operation and the action change it.

        `own` are the types that the action's row names, or None for all.
        """
        row = self.operations.get(operation.name, {})
        kept = []
        for one in found:
            if own is not None and one.type not in own:
                continue
            rows = [("fills", self.fills), (f"types {one.type}", self.types.get(one.type, {})),
                    (f"{operation.name} fills", row.get("fills", {})),
                    (f"{operation.name} {one.type}", row.get("types", {}).get(one.type, {})),
                    (f"{operation.name} {one.type}", (own or {}).get(one.type, {}))]
            gone = {where for where, changes in rows if changes is None}
            if gone:
                self.used |= gone
                continue
            for where, changes in rows:
                one = self.changed(service, operation, one, changes, where)
            kept += unions(one)
        return kept

    def changed(self, service, operation, resource, changes, where):
        """`resource` with its fills, whole-ARN member, duty and condition as `changes` say."""
        is_general = where == "fills" or where.startswith("types ")
        if "format" in changes:
            resource, told = self.formed(service, operation, resource, changes, where), resource
            if resource is None:
                return told
        names = set(VARIABLE.findall(resource.format))
        fills = dict(resource.fills)
        for key, value in changes.items():
            if key == "required":
                resource = replace(resource, required=value)
            elif key == "format":
                pass
            elif key == "when":
                if not all(reaches(service, operation, path) for path in conditions(value)):
                    if not is_general:
                        raise NamingError(f"{self.name}, {where}: `{value}` is not in the request")
                    continue
                resource = replace(resource, condition=value)
            elif key in ("ARN", "ARN|name"):
                if value and not all(reaches(service, operation, path) for path in value.split(" + ")):
                    if not is_general:
                        raise NamingError(f"{self.name}, {where}: no member `{value}`")
                    continue
                resource = replace(resource, arn_path=value, may_be_name=key != "ARN")
            elif key in PLACE and key in names and value == "?":
                # A variable that no member fills; the place of the call would fill its own.
                resource = replace(resource, format=resource.format.replace(f"${{{key}}}", f"${{Any{key}}}"),
                                   # First: of an optional type, the last variable says whether the call names one.
                                   fills=((f"Any{key}", ""),) + resource.fills)
                fills[f"Any{key}"] = ""
            elif key in names:
                source = self.source(service, operation, value, is_general, where)
                if source is None:
                    continue
                fills[key] = source
            elif not is_general or where.startswith("types "):
                raise NamingError(f"{self.name}, {where}: `{resource.format}` has no `{key}`")
            else:
                continue
            self.used.add(where if where != "fills" else f"fills {key}")
        order = [name for name in PLACE if name in fills] + [name for name, _ in resource.fills if name not in PLACE]
        return replace(resource, fills=tuple((name, fills[name]) for name in order))

    def formed(self, service, operation, resource, changes, where):
        """`resource` with the format of `changes`; None when a general row names sources that the operation has not."""
        form = changes["format"]
        names = [name for name in VARIABLE.findall(form) if name not in PLACE]
        if where.startswith("types ") and not all(
                self.source(service, operation, changes[name], True, where) for name in names if changes.get(name)):
            return None
        known = dict(resource.fills)
        return replace(resource, format=form, fills=tuple(
            (name, known.get(name, "")) for name in [*(place for place in PLACE if place in known), *names]))

    def source(self, service, operation, text, is_general, where):
        """`text` with the alternatives that the operation has; None when it has none of the paths."""
        if text == "":
            return ""
        if " + " in text:
            parts = [self.source(service, operation, part, is_general, where) for part in text.split(" + ")]
            return " + ".join(part for part in parts if part) or None
        kept, paths = [], 0
        for (path, transforms), choice in zip(choices(text), text.split(" | ")):
            if transforms is None or reaches(service, operation, path):
                kept.append(choice)
                paths += transforms is not None
            elif not is_general:
                raise NamingError(f"{self.name}, {where}: no member `{path}`")
        if is_general and not paths and any(transforms is not None for _, transforms in choices(text)):
            return None
        return " | ".join(kept)

    def keys(self, row, known, where):
        for key in row:
            if key not in known:
                raise NamingError(f"{self.name}, {where}: unknown key `{key}`")


def load(services):
    """{client name: ServiceRow} of every file in the folder."""
    known = {service.name: service for service in services}
    found = {}
    for file_name in sorted(os.listdir(FOLDER)):
        name, ending = os.path.splitext(file_name)
        if ending != ".json":
            continue
        if name not in known:
            raise NamingError(f"naming/{file_name}: no service {name}")
        with open(os.path.join(FOLDER, file_name), "rb") as file:
            row = json.load(file, object_pairs_hook=lambda pairs: without_doubles(file_name, pairs))
        service_row = ServiceRow(name, row.get("fills", {}), row.get("types", {}), row.get("operations", {}))
        service_row.keys(row, ("source", "fills", "types", "operations"), "the file")
        if not row.get("source"):
            raise NamingError(f"naming/{file_name}: `source` must be stated")
        operations = {operation.name for operation in known[name].operations}
        for operation, one in service_row.operations.items():
            if operation not in operations:
                raise NamingError(f"naming/{file_name}: no operation {operation}")
            service_row.keys(one, ("source", "fills", "types", "actions", "also", "tags", "unnamed"), operation)
            if one.get("unnamed", "star") != "star":
                raise NamingError(f"naming/{file_name}, {operation}: `unnamed` can be `star` alone")
        found[name] = service_row
    return found


def without_doubles(file_name, pairs):
    if len({key for key, _ in pairs}) != len(pairs):
        raise NamingError(f"naming/{file_name}: a name twice among {[key for key, _ in pairs]}")
    return dict(pairs)


def check_used(rows):
    """Refuses rows that change nothing: what they mean to say is not said."""
    for row in rows.values():
        wanted = {f"fills {key}" for key in row.fills} | {f"types {kind}" for kind in row.types}
        for operation, one in row.operations.items():
            wanted |= {f"{operation} {kind}" for kind in one.get("types", {})}
            if one.get("fills"):
                wanted.add(f"{operation} fills")
        if wanted - row.used:
            raise NamingError(f"{row.name}: nothing has {sorted(wanted - row.used)}")
