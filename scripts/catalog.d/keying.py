"""Condition keys whose value the request itself says: keys.json, and the tags that operations carry.

A row is `key: source` for an operation, or under `*` for every operation of the service that has the member:

    Member.Path[].Name     that member's value, or the values of a list; absent when the request has none
    Member?                the same, but not knowable when the request has none: AWS takes a value from elsewhere then
    Member? if FORM        the same, but not knowable when a value is of another form: `arn`; `name`, no ARN; `one`, all
                           values are one; `dns`, a plain domain name, in lower case without its last dot; `path`, a
                           bucket and key as they are, not escaped, of no version
    'text'                 always this
    '{operation}'          always the operation's name
    region                 the region that the call goes to
    absent                 no request of it carries the key
    tags Member            a map, a list of keys and values, or EC2's tag specifications: for aws:TagKeys and the like the
                           names, for aws:RequestTag/${TagKey} and the like one key a tag, all others absent
    tags Member unless A B the same, but not knowable when the request has A or B

A key is said of the pairs whose action AWS lists it for, and of no other.
"""
import hashlib
import json
import os
import re

import naming

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "keys.json")
FROM_MEMBER, COMPUTED, ABSENT, IF_SAID, LITERAL, TAGS, REGION = 1, 2, 3, 4, 5, 6, 7
WORDS = {FROM_MEMBER: "from {}", COMPUTED: "computed", ABSENT: "absent", IF_SAID: "from {}, else unknown", LITERAL: "is {}",
         TAGS: "tags of {}", REGION: "region"}
TAG_MEMBERS = ("tags", "taglist", "tagspecifications", "tagspecification", "tagmap")
# Members whose name has the three letters by chance.
NO_TAG = re.compile("stage|staging|percentage|advantage|vintage", re.IGNORECASE)
# Members whose text may bring tags of its own: a launch template, an import.
BRINGS_TAGS = re.compile("template|desiredstate|^body$", re.IGNORECASE)
DEPTH_MAX = 8


class Rows:
    def __init__(self):
        with open(PATH, "rb") as file:
            text = file.read()
        self.digest = hashlib.sha256(text).digest()
        self.services = json.loads(text, object_pairs_hook=without_duplicates)["services"]
        self.used = set()

    def said(self, service, operation, listed):
        """{key: (how, what)} of the keys in `listed`."""
        found = tag_keys(service, operation, listed)
        rows = self.services.get(service.name, {"rows": {}})["rows"]
        for name in ("*", operation.name):
            for key, source in rows.get(name, {}).items():
                if key not in listed:
                    continue
                how, what = parse(source, operation)
                if how in (FROM_MEMBER, IF_SAID, TAGS) and not naming.reaches(service, operation, what.split(" ")[0]):
                    continue
                self.used.add((service.name, name, key))
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


def parse(source, operation):
    if source is None:
        return None, ""
    if source.startswith("'"):
        return LITERAL, source.strip("'").replace("{operation}", operation.name)
    if source in ("absent", "region"):
        return (ABSENT if source == "absent" else REGION), ""
    if source.startswith("tags "):
        return TAGS, source[5:]
    path, mark, form = source.partition("?")
    if form and not re.fullmatch(" if (arn|name|one|dns|path)", form):
        raise ValueError(f"keys.json: `{source}` is no source")
    return (IF_SAID, path + form) if mark else (FROM_MEMBER, source)


def tag_keys(service, operation, listed):
    """aws:TagKeys and aws:RequestTag/... by rule: from the one member for tags, absent where nothing is for tags."""
    wanted = [key for key in listed if key in ("aws:TagKeys", "aws:RequestTag/${TagKey}")]
    if not wanted:
        return {}
    members = service.input_members(operation)
    top = [name for name in members if is_for_tags(name)]
    if not top:
        return {} if has_tags_below(service, operation.input_name, 0) else {key: (ABSENT, "") for key in wanted}
    if len(top) > 1 or has_tags_below(service, operation.input_name, 0, besides=top[0]):
        return {}
    form = tag_form(service, members[top[0]]["shape"])
    flat = top[0].replace("_", "").lower()
    if form == "names" and flat in ("tagkeys", "tagkeylist", *TAG_MEMBERS):
        return {key: (FROM_MEMBER, top[0]) if key == "aws:TagKeys" else (ABSENT, "") for key in wanted}
    if form == "tags" and flat in TAG_MEMBERS:
        return {key: (TAGS, top[0]) for key in wanted}
    return {}


def is_for_tags(name):
    return "tag" in NO_TAG.sub("", name).lower()


def has_tags_below(service, shape_name, depth, besides=None):
    """Whether a member for tags, or one that may bring some, is anywhere in the shape but at `besides`; too deep to see
    counts as yes."""
    if not shape_name:
        return False
    if depth > DEPTH_MAX:
        return True
    shape = service.shapes[shape_name]
    if shape["type"] == "list":
        return has_tags_below(service, shape["member"]["shape"], depth + 1)
    if shape["type"] == "map":
        return has_tags_below(service, shape["value"]["shape"], depth + 1)
    return any(name != besides and (is_for_tags(name) or BRINGS_TAGS.search(name)
                                    or has_tags_below(service, member["shape"], depth + 1))
               for name, member in shape.get("members", {}).items())


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
