"""Where AWS's own Service Reference (JSON, version 1.4) says otherwise than the catalog; nothing of it is kept.

DIR holds one file a service, at any depth: {"Name", "Actions": [{"Name", "Annotations": {"Properties": {"IsWrite", ...}}}],
"Operations": [{"Name", "AuthorizedActions": [{"Name", "Service"}], "SDK": [{"Name", "Method", "Package"}]}]}. Its actions
are an upper bound: those that depend on a parameter stand among those that every call needs.
"""
import json
import os
import re

LEVELS = [("IsPermissionManagement", "permissionsManagement"), ("IsTaggingOnly", "tagging"), ("IsWrite", "write"),
          ("IsList", "list")]


def load(folder):
    """({(service, method): actions}, {action: level}) of every file under the folder."""
    operations, levels = {}, {}
    for path, _, files in sorted(os.walk(folder)):
        for name in sorted(files):
            if not name.endswith(".json"):
                continue
            with open(os.path.join(path, name)) as file:
                row = json.load(file)
            if not isinstance(row, dict) or "Actions" not in row:
                continue
            for action in row["Actions"]:
                marks = action.get("Annotations", {}).get("Properties", {})
                level = next((level for mark, level in LEVELS if marks.get(mark)), "read")
                levels[f"{row['Name']}:{action['Name']}".lower()] = level
            for operation in row.get("Operations", []):
                actions = {f"{one['Service']}:{one['Name']}" for one in operation.get("AuthorizedActions", [])}
                for sdk in operation.get("SDK", []):
                    if sdk["Package"] == "Boto3":
                        key = (sdk["Name"].lower(), flat(sdk["Method"]))
                        operations[key] = operations.get(key, set()) | actions
    return operations, levels


def flat(name):
    return re.sub("[^a-z0-9]", "", name.lower())


def disagreements(services, folder):
    """Lines: what the catalog needs and AWS does not list, what AWS lists and the catalog does not need, other levels."""
    operations, levels = load(folder)
    lines, seen = [], set()
    if not operations:
        raise ValueError(f"{folder} holds no Service Reference")
    for service in services:
        for operation in service.operations:
            listed = operations.get((service.name, flat(operation.name)))
            if not listed:
                continue
            place = f"{service.name}.{operation.name}"
            needed = {f"{need.prefix}:{need.name}" for need in operation.actions if need.known}
            lower = {action.lower() for action in listed}
            always = {f"{need.prefix}:{need.name}" for need in operation.actions if need.known and not need.condition}
            lines += [f"{place}: the catalog needs {one}, AWS does not list it" for one in sorted(always) if one.lower() not in lower]
            known = {action.lower() for action in needed}
            lines += [f"{place}: AWS lists {one}, the catalog does not need it" for one in sorted(listed) if one.lower() not in known]
            for need in operation.actions:
                action = f"{need.prefix}:{need.name}".lower()
                level = levels.get(action)
                if need.known and level and level != need.level and action not in seen:
                    seen.add(action)
                    lines.append(f"{action}: level {need.level} in the catalog, {level} in AWS's reference")
    return lines
