"""Hosts, signing names and signing regions: botocore's endpoint rules, worked out for every region.

FIPS and dual-stack hosts are left out: the gate forwards to the plain host of a region.
"""
import json
import os
from urllib.parse import urlsplit

import botocore.loaders
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import BotoCoreError

import model


def partitions():
    with open(os.path.join(model.botocore_data(), "partitions.json")) as file:
        return json.load(file)


def regions():
    """Every region by name, with its partition's row; the global pseudo-regions are left out."""
    found = []
    for partition in partitions()["partitions"]:
        for region in sorted(partition["regions"]):
            if not region.endswith("-global"):
                found.append((region, partition["id"], partition["outputs"]))
    return sorted(found)


def table(services):
    """For every service: {region: (host template, base path, signing name, signing region, sigv4a)} where it resolves.

    A host template writes {region}, {dns} (the partition's suffix) and {dual} (its dual-stack suffix).
    """
    loader = botocore.loaders.Loader(include_default_search_paths=False, extra_search_paths=[model.botocore_data()])
    partition_rows = partitions()
    rows = {}
    for service in services:
        rules = loader.load_service_model(service.name, "endpoint-rule-set-1")
        provider = EndpointProvider(rules, partition_rows)
        rows[service.name] = {}
        for region, partition, outputs in regions():
            row = resolve(provider, rules, service, region, outputs)
            if row:
                rows[service.name][region] = row
        pin(rows[service.name])
    return rows


def pin(rows):
    """Writes a pinned signing region out for the region that it is, too: then one row does for the partition."""
    pinned = {row for row in rows.values() if row[3]}
    for region, row in rows.items():
        if not row[3] and row[:3] + (region, row[4]) in pinned:
            rows[region] = row[:3] + (region, row[4])


def resolve(provider, rules, service, region, outputs):
    given = {"Region": region, "UseFIPS": False, "UseDualStack": False, "UseGlobalEndpoint": False}
    parameters = {name: given[name] for name in given if name in rules["parameters"]}
    for name, row in rules["parameters"].items():
        if name not in parameters and row.get("default") is not None:
            parameters[name] = row["default"]
        if name == "ApiType":
            parameters[name] = "ControlPlane"  # neptune-graph; its data plane adds the host prefix {graphIdentifier}.
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
