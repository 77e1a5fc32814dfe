"""Condition keys whose value the request itself says: keys.json, and the tags that operations carry.

A row is `key: source` for an operation, or under `*` for every operation of the service that has the member:

    Member.Path[].Name     that member's value, or the values of a list; absent when the request has none
    Member?                the same, but not knowable when the request has none: AWS takes a value from elsewhere then
    Member if FORM, Member? if FORM
                           the same, but not knowable when a value is of another form: `arn`; `key`, the ARN of a
                           KMS key by its id; `name`, no ARN; `one`, all values are one; `=VALUE`; `dns`, a plain domain name, in lower case without its last dot; `path`,
                           a bucket and key as they are, not escaped, of no version; `address`, a mail address alone
    ... unless A B         the same, but not knowable when the request has A or B
    'text'                 always this
    '{operation}'          always the operation's name
    text A={Member},B={X}  this text with the members' values in it, `{partition}`, `{region}` and `{account}` too; absent
                           when the request has none of the members, not knowable when it has only some, or one whose
                           value is more than letters, digits, blanks and `-_.`
    text? A={Member}       the same, but not knowable when the request has none
    region                 the region that the call goes to
    id of PREFIX           what follows PREFIX in the sixth part of the pair's own ARN, up to the next / or :
    arn of PREFIX          the pair's own ARN, if its sixth part begins so
    account                the gateway's own account
    absent                 no request of it carries the key
    absent unless A B      absent when the request has none of these members, else not knowable
    null                   not knowable, whatever the service's rows say
    tags Member            a map, a list of keys and values, or EC2's tag specifications: for aws:TagKeys and the like the
                           names, for aws:RequestTag/${TagKey} and the like one key a tag, all others absent
    tags Member unless A B the same, but not knowable when the request has A or B

A key is said of the pairs whose action AWS lists it for, and of no other. A source that ends in ` on PREFIX` is said of those
only whose resource is of that kind: the sixth part of its ARN begins so. Of an action that only tags what the operation makes
nothing is said but tags and the like, since AWS may well judge it by the new resource.
"""
import hashlib
import json
import os
import re

import naming

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "keys.json")
FROM_MEMBER, COMPUTED, ABSENT, IF_SAID, LITERAL, TAGS, REGION, ID, ARN, ACCOUNT, ABSENT_UNLESS, TEXT, TEXT_IF_SAID = range(1, 14)
WORDS = {FROM_MEMBER: "from {}", COMPUTED: "computed", ABSENT: "absent{}", IF_SAID: "from {}, else unknown", LITERAL: "is {}",
         TAGS: "tags of {}", REGION: "region{}", ID: "id of {}", ARN: "arn of {}", ACCOUNT: "account{}",
         ABSENT_UNLESS: "absent unless {}", TEXT: "text {}", TEXT_IF_SAID: "text {}, else unknown"}
PLACES = ("partition", "region", "account")
# What an action that only tags a new resource is certainly judged by.
OF_ANY_ACTION = (LITERAL, REGION, ID, ARN, ACCOUNT)
OF_TAGGING = re.compile("^aws:|req-tag|encryptioncontext", re.IGNORECASE)
TAG_MEMBERS = ("tags", "taglist", "tagspecifications", "tagspecification", "tagmap", "resourcetags", "tagslist", "tagstoadd")
# Keys of services' own for the tags that a request carries.
REQUEST_TAG = re.compile(r"aws:RequestTag/\$\{TagKey\}|[a-z-]+:(req-tag|RequestTag)/\$\{TagKey\}")
# Members whose name has the three letters by chance.
NO_TAG = re.compile("stage|staging|percentage|advantage|vintage", re.IGNORECASE)
# Members whose text may bring tags of its own: a launch template, an import.
BRINGS_TAGS = re.compile("template|desiredstate|^body$", re.IGNORECASE)
DEPTH_MAX = 8


class Rows:
    def __init__(self, single):
        """`single` are the keys that AWS gives one value."""
        self.single = single
        with open(PATH, "rb") as file:
            text = file.read()
        self.digest = hashlib.sha256(text).digest()
        self.services = json.loads(text, object_pairs_hook=without_duplicates)["services"]
        self.used = set()

    def said(self, service, operation, listed, kinds):
        """{key: (how, what)} of the keys in `listed`; `kinds` gives the ARN beginnings that a key is listed for."""
        found = tag_keys(service, operation, listed)
        rows = self.services.get(service.name, {"rows": {}})["rows"]
        for name in ("*", operation.name):
            for key, source in rows.get(name, {}).items():
                if key not in listed:
                    continue
                source, kind = split(source)
                how, what = parse(source, operation)
                if how in (FROM_MEMBER, IF_SAID, TAGS) and not naming.reaches(service, operation, what.split(" ")[0]):
                    continue
                others = what.split(" ") if how == ABSENT_UNLESS else what.partition(" unless ")[2].split()
                if not all(naming.reaches(service, operation, one) for one in others):
                    if how == ABSENT_UNLESS and name == "*":
                        continue
                    raise ValueError(f"keys.json: {service.name}.{name}: {key}: the operation has not all of {others}")
                if how in (TEXT, TEXT_IF_SAID):
                    members = [one for one in re.findall(r"\{([^}]*)\}", what) if one not in PLACES]
                    if not all(naming.reaches(service, operation, one) for one in members):
                        continue
                if how in (ID, ARN) and what not in kinds(key):
                    continue
                self.used.add((service.name, name, key))
                if how in (FROM_MEMBER, IF_SAID):
                    what = spelled(service, operation, what)
                    # A condition without a set operator matches none of several values, and a Deny would be lifted.
                    if key in self.single and "[]" in what and " if one" not in what:
                        raise ValueError(f"keys.json: {service.name}.{name}: {key} has one value, {what} is a list")
                if kind:
                    if kind not in kinds(key):
                        raise ValueError(f"keys.json: {service.name}.{name}: AWS does not list {key} for {kind}")
                    what = f"{what} on {kind}".strip()
                if how:
                    found[key] = (how, what)
                else:
                    found.pop(key, None)
        return found

    def check_used(self):
        """Refuses a row that says nothing: of no operation, of a key that no action lists, of a member that is not there."""
        for service, part in self.services.items():
            if not part["source"]:
                raise ValueError(f"keys.json: {service} has no source")
        idle = [f"{service}.{name}: {key}" for service, part in self.services.items()
                for name, row in part["rows"].items() for key in row if (service, name, key) not in self.used]
        if idle:
            raise ValueError(f"keys.json: these rows say nothing: {', '.join(idle)}")


def is_list(service, operation, path):
    """Whether the member at the end of a path is a list."""
    name = operation.input_name
    for step in path.split("."):
        name = service.shapes[name]["members"][step.removesuffix("[]")]["shape"]
        if step.endswith("[]"):
            name = service.shapes[name]["member"]["shape"]
    return service.shapes[name]["type"] == "list"


def spelled(service, operation, what):
    """A source as the program reads it: with [] where the member is a list, so that one sent for a text is not taken."""
    path, space, rest = what.partition(" ")
    return path + ("[]" if is_list(service, operation, path) else "") + space + rest


def split(source):
    """A source, and the kind of resource that it is said of, or None."""
    text, _, kind = (source or "").partition(" on ")
    return (text, kind) if kind else (source, None)


def parse(source, operation):
    if source is None:
        return None, ""
    if source.startswith("'"):
        return LITERAL, source.strip("'").replace("{operation}", operation.name)
    if source in ("absent", "region", "account"):
        return {"absent": ABSENT, "region": REGION, "account": ACCOUNT}[source], ""
    for words, how in (("id of ", ID), ("arn of ", ARN), ("absent unless ", ABSENT_UNLESS), ("text ", TEXT),
                       ("text? ", TEXT_IF_SAID)):
        if source.startswith(words):
            return how, source.removeprefix(words)
    if source.startswith("tags "):
        return TAGS, source[5:]
    found = re.fullmatch(r"([A-Za-z0-9_.\[\]-]+)(\??)((?: if (?:arn|key|name|one|=[A-Za-z0-9_-]+|dns|path|address))?(?: unless [A-Za-z0-9_. -]+)?)", source)
    if not found:
        raise ValueError(f"keys.json: `{source}` is no source")
    return (IF_SAID if found[2] else FROM_MEMBER), found[1] + found[3]


def tag_keys(service, operation, listed):
    """aws:TagKeys, aws:RequestTag/... and the like by rule: from the one member for tags, absent where nothing is for tags."""
    wanted = [key for key in listed if key == "aws:TagKeys" or REQUEST_TAG.fullmatch(key)]
    if not wanted:
        return {}
    places = list(tag_places(service, operation.input_name, 0, "")) if operation.input_name else []
    if not places:
        return {key: (ABSENT, "") for key in wanted}
    if len(places) > 1 or not naming.reaches(service, operation, places[0]) or re.search(r"\[\]|\{\}", places[0]):
        return {}
    path, shape = places[0], member_shape(service, operation, places[0])
    flat = path.split(".")[-1].replace("_", "").lower()
    inner = service.shapes[shape].get("members", {})
    if service.shapes[shape]["type"] == "structure" and len(inner) == 1:
        # A structure of nothing but the tags: CloudFront's Items, Pinpoint's tags.
        step = next(iter(inner))
        path, shape, flat = f"{path}.{step}", inner[step]["shape"], flat if step == "Items" else step.lower()
    form = tag_form(service, shape)
    if form == "names" and flat in ("tagkeys", "tagkeylist", "resourcetagkeys", "tagstoremove", *TAG_MEMBERS):
        return {key: (FROM_MEMBER, path + "[]") if key == "aws:TagKeys" else (ABSENT, "") for key in wanted}
    if form == "tags" and flat in TAG_MEMBERS and not (flat == "tagslist" and operation.name.startswith("Remove")):
        return {key: (TAGS, path) for key in wanted}
    return {}


def tag_places(service, shape_name, depth, path):
    """The paths of members for tags, and of those that may bring some; one that leads nowhere where it is too deep to see."""
    shape = service.shapes[shape_name]
    if depth > DEPTH_MAX:
        yield path + "..."
    elif shape["type"] == "list":
        yield from tag_places(service, shape["member"]["shape"], depth + 1, path + "[]")
    elif shape["type"] == "map":
        yield from tag_places(service, shape["value"]["shape"], depth + 1, path + "{}")
    for name, member in shape.get("members", {}).items() if depth <= DEPTH_MAX else []:
        inner = f"{path}.{name}".lstrip(".")
        if is_for_tags(name) or BRINGS_TAGS.search(name):
            yield inner
        else:
            yield from tag_places(service, member["shape"], depth + 1, inner)


def member_shape(service, operation, path):
    """The name of the shape of the member at a path of structures."""
    name = operation.input_name
    for step in path.split("."):
        name = service.shapes[name]["members"][step]["shape"]
    return name


def is_for_tags(name):
    return "tag" in NO_TAG.sub("", name).lower()


def tag_form(service, name):
    """`tags` for a map, a list of keys and values and a list of EC2's specifications, `names` for a list of texts."""
    shapes = service.shapes
    shape = shapes[name]
    if shape["type"] == "map":
        return "tags" if shapes[shape["value"]["shape"]]["type"] == "string" else ""
    if shape["type"] != "list":
        return ""
    element = shapes[shape["member"]["shape"]]
    if element["type"] == "string":
        return "names"
    members = {name.lower(): member for name, member in element.get("members", {}).items()}
    if {"key", "value"} <= {*members} or {"tagkey", "tagvalue"} <= {*members}:
        return "tags"
    if {*members} == {"resourcetype", "tags"}:
        return tag_form(service, members["tags"]["shape"])
    return ""


def without_duplicates(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError(f"keys.json: a name twice among {[name for name, _ in pairs]}")
    return dict(pairs)
