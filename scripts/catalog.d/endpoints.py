"""Hosts, signing names and signing regions: botocore's endpoint rules, worked out for every region.

For each of the four variants (plain, FIPS, dual-stack, both), and once more for operations whose model gives the rules
a parameter of their own (`staticContextParams`) that leads them elsewhere.
"""
import functools
import json
import os
from urllib.parse import urlsplit

import botocore.loaders
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import BotoCoreError

import hosted
import model

VARIANTS = {"plain": (False, False), "fips": (True, False), "dualStack": (False, True), "fipsDualStack": (True, True)}


def partitions():
    with open(os.path.join(model.botocore_data(), "partitions.json")) as file:
        return json.load(file)


@functools.cache
def regions():
    """Every region by name, with its partition's row; the global pseudo-regions are left out."""
    found = []
    for partition in partitions()["partitions"]:
        for region in sorted(partition["regions"]):
            if not region.endswith("-global"):
                found.append((region, partition["id"], partition["outputs"]))
    return sorted(found)


def tables(services):
    """{service: [(table, operations)]}: the service's own table first, with None for its operations, then those of
    operations that go elsewhere.

    A table is {variant: {region: (host template, base path, signing name, signing region, sigv4a)}} where it resolves.
    A host template writes {region}, {dns} (the partition's suffix) and {dual} (its dual-stack suffix).
    """
    loader = botocore.loaders.Loader(include_default_search_paths=False, extra_search_paths=[model.botocore_data()])
    partition_rows, region_rows = partitions(), regions()
    found = {}
    for service in services:
        if service.name in hosted.rows():
            # Only at the hosts that the operator lists.
            found[service.name] = [({variant: {} for variant in VARIANTS}, None)]
            continue
        rules = loader.load_service_model(service.name, "endpoint-rule-set-1")
        provider = EndpointProvider(rules, partition_rows)
        own = table(provider, rules, service, region_rows, {})
        found[service.name] = [(own, None)]
        groups = {}
        for operation in service.operations:
            # A bucket in the path stays at the service's own host; account ids stand in the host prefix.
            if operation.rule_parameters and not operation.has_bucket:
                key = tuple(sorted(operation.rule_parameters.items()))
                groups.setdefault(key, []).append(operation.name)
        for key, names in sorted(groups.items()):
            given = {name: value for name, value in key if name != "RequiresAccountId"}
            other = table(provider, rules, service, region_rows, given)
            if other != own:
                found[service.name].append((other, names))
    return found


def table(provider, rules, service, region_rows, extra):
    rows = {}
    for variant, (fips, dual_stack) in VARIANTS.items():
        rows[variant] = {}
        for region, _, outputs in region_rows:
            row = resolve(provider, rules, service, region, outputs, {"UseFIPS": fips, "UseDualStack": dual_stack}, extra)
            if row:
                rows[variant][region] = row
        pin(rows[variant])
    return rows


def folded(rows):
    """The row of most regions, and (region, row or None) of every region that has another."""
    counted = {}
    for row in rows.values():
        counted[row] = counted.get(row, 0) + 1
    default = max(sorted(counted), key=lambda row: counted[row], default=None)
    return default, [(region, rows.get(region)) for region, _, _ in regions() if rows.get(region) != default]


def pin(rows):
    """Writes a pinned signing region out for the region that it is, too: then one row does for the partition."""
    pinned = {row for row in rows.values() if row[3]}
    for region, row in rows.items():
        if not row[3] and row[:3] + (region, row[4]) in pinned:
            rows[region] = row[:3] + (region, row[4])


def resolve(provider, rules, service, region, outputs, variant, extra):
    given = {"Region": region, "UseGlobalEndpoint": False, **variant, **extra}
    parameters = {name: given[name] for name in given if name in rules["parameters"]}
    for name, row in rules["parameters"].items():
        if name not in parameters and row.get("default") is not None:
            parameters[name] = row["default"]
        if name == "ApiType" and name not in parameters:
            parameters[name] = "ControlPlane"  # neptune-graph: the service's own host is the control plane's.
    try:
        endpoint = provider.resolve_endpoint(**parameters)
    except (BotoCoreError, ValueError, KeyError):
        return None
    parts = urlsplit(endpoint.url)
    if parts.scheme != "https" or parts.query or parts.fragment:
        raise ValueError(f"{service.name} in {region}: {endpoint.url}")
    schemes = (endpoint.properties or {}).get("authSchemes") or []
    names = [scheme["name"] for scheme in schemes]
    # Where both are offered, SigV4 with its pinned region does; SigV4a is only for what takes nothing else.
    scheme = next((one for wanted in ("sigv4", "sigv4a") for one in schemes if one["name"] == wanted), {})
    signing_region = scheme.get("signingRegion", region)
    sigv4a = "sigv4a" in names and "sigv4" not in names
    host = spell(parts.netloc, region, outputs)
    return (host, parts.path.rstrip("/"), scheme.get("signingName", service.signing_name),
            "" if signing_region == region else signing_region, sigv4a)


def spell(host, region, outputs):
    for suffix, mark in ((outputs["dualStackDnsSuffix"], "{dual}"), (outputs["dnsSuffix"], "{dns}")):
        if host.endswith("." + suffix):
            host = host[: -len(suffix)] + mark
            break
    labels = ["{region}" if label == region else label for label in host.split(".")]
    text = ".".join(labels)
    # A host such as portal.sso.us-east-1 has the region as a label; s3-us-west-2 style hosts keep it inside one.
    return text.replace("-" + region + ".", "-{region}.")
