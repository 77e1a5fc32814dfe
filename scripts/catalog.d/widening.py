"""What changed between two versions of the catalog, and the widening gate.

A change that may let pass what was asked for or denied before is a loss: an operation loses an action, a resource, a
level, sensitivity, vending or idempotency, is recognized or sent elsewhere. The generator fails on every loss that
acknowledged.json does not name. That file is good for one version only, by its digest: a loss that returns is asked
about again.
"""
import fnmatch
import hashlib
import io
import json
import os
import subprocess
import tarfile

import twin

LEVELS = ["list", "read", "tagging", "write", "permissionsManagement"]
SENSITIVITIES = ["metadata", "data", "credential"]
GUARDS = ["vendsCredentials", "replyCarriesKeys", "noAuth"]
SERVICE_GUARDS = ["signatureV2", "bearer", "perResourceHost", "pathResource"]


class Change:
    """One difference: where, what, and whether it is a loss."""

    def __init__(self, place, what, is_loss):
        self.place, self.what, self.is_loss = place, what, is_loss

    def __str__(self):
        return f"{'LOSS ' if self.is_loss else '     '}{self.place}: {self.what}"


def digest(texts):
    """SHA-256 that names a version: over the name and the text of every service."""
    total = hashlib.sha256()
    for name in sorted(texts):
        total.update(name.encode() + b"\0" + texts[name].encode() + b"\0")
    return total.hexdigest()


def committed(root, folder, reference):
    """{service: text} as `reference` of git has it; empty where that version had no such folder."""
    answer = subprocess.run(["git", "-C", root, "archive", "--format=tar", reference, folder], capture_output=True)
    if answer.returncode != 0:
        named = subprocess.run(["git", "-C", root, "rev-parse", "--verify", "-q", reference + "^{commit}"],
                               capture_output=True)
        if named.returncode != 0:
            raise ValueError(f"git knows no {reference} here: the gate has nothing to compare with")
        return {}
    with tarfile.open(fileobj=io.BytesIO(answer.stdout)) as archive:
        return {os.path.basename(member.name)[:-4]: archive.extractfile(member).read().decode()
                for member in archive if member.name.endswith(".txt")}


def compare(old_texts, new_texts):
    """Every change from the old texts to the new ones, by service and operation."""
    changes = []
    for name in sorted({*old_texts, *new_texts}):
        if name not in new_texts:
            changes.append(Change(name, "the service is gone", True))
        elif name not in old_texts:
            count = len(twin.parse(new_texts[name])["operations"])
            changes.append(Change(name, f"a new service of {count} operations", False))
        elif old_texts[name] != new_texts[name]:
            changes += compare_service(name, twin.parse(old_texts[name]), twin.parse(new_texts[name]))
    return changes


def compare_service(name, old, new):
    changes = list(compare_head(name, old["head"], new["head"]))
    for operation in sorted({*old["operations"], *new["operations"]}):
        before, after = old["operations"].get(operation), new["operations"].get(operation)
        place = f"{name}.{operation}"
        if after is None:
            changes.append(Change(place, "the operation is gone", True))
        elif before is None:
            changes.append(Change(place, "a new operation: " + ", ".join(sorted({key for key, _ in after["needs"]})), False))
        elif before != after:
            changes += compare_operation(place, before, after)
    return changes


def compare_head(name, old, new):
    """Of the service itself: every changed line is told, and what was there and is not is a loss."""
    for word in sorted({*old, *new}):
        before, after = old.get(word, []), new.get(word, [])
        if word == "marks":
            before, after = (" ".join(one).split() for one in (before, after))
        for said in before:
            # A retired type or key list goes with its operations, which tell their own losses.
            if said not in after:
                gone = word == "marks" and said not in SERVICE_GUARDS or word == "keys" or (
                    word == "type" and not any(one.startswith(" ".join(said.split()[:2]) + " ") for one in after))
                yield Change(name, f"{word} `{said}` is no more", not gone)
        for said in after:
            if said not in before:
                yield Change(name, f"{word} `{said}` is new", False)


def compare_operation(place, before, after):
    for part, words in (("binding", "recognized elsewhere"), ("host", "sent elsewhere")):
        if before[part] != after[part]:
            yield Change(place, f"{words}: `{before[part]}` -> `{after[part]}`", True)
    yield from compare_about(place, before["about"], after["about"])
    if before["idempotent"] != after["idempotent"]:
        # A member that counts as a token is left out of the digest that an approval is bound to.
        yield Change(place, f"idempotent by {before['idempotent']} -> {after['idempotent']}", True)
    for key in sorted({*before["keys"], *after["keys"]}):
        was, now = before["keys"].get(key, "unknown"), after["keys"].get(key, "unknown")
        if was != now:
            yield Change(place, f"condition key {key}: {was} -> {now}", was != "unknown")
    for (action, condition), need in sorted(before["needs"].items()):
        other = after["needs"].get((action, condition)) or after["needs"].get((action, ""))
        if other is None:
            yield Change(place, f"action {action}{condition and ' if ' + condition} is no more needed", True)
        else:
            yield from compare_need(place, action, need, other)
    for action, condition in sorted({*after["needs"]} - {*before["needs"]}):
        yield Change(place, f"action {action}{condition and ' if ' + condition} is needed now", False)


def compare_about(place, before, after):
    def rating(words):
        return next((word for word in words if word in SENSITIVITIES), "unrated")

    was, now = rating(before), rating(after)
    if was != now:
        # What is not rated counts as data.
        rank = {"unrated": 1, **{word: number for number, word in enumerate(SENSITIVITIES)}}
        yield Change(place, f"sensitivity {was} -> {now}", rank[now] < rank[was])
    for mark in sorted({*before, *after} - {*SENSITIVITIES}):
        if mark not in after:
            yield Change(place, f"{mark} is no more", mark in GUARDS)
        elif mark not in before:
            yield Change(place, f"{mark} is new", False)


def compare_need(place, action, before, after):
    was, now = before["level"], after["level"]
    if was != now:
        # An action of unknown level is denied, and is known from now on.
        lower = was in LEVELS and (now not in LEVELS or LEVELS.index(now) < LEVELS.index(was))
        yield Change(place, f"level of {action} {was} -> {now}", lower and now != "unknown")
    if after["star"] and not before["star"]:
        yield Change(place, f"{action} is on * and on no resource any more", True)
    for kind, one in sorted(before["types"].items()):
        other = after["types"].get(kind)
        if other is None:
            yield Change(place, f"{action} loses the resource type {kind}", True)
            continue
        if one["required"] and not other["required"]:
            yield Change(place, f"{action} no longer always names a {kind}", True)
        if one["if"] != other["if"] and other["if"]:
            yield Change(place, f"{action} names a {kind} only if {other['if']}", True)
        for part in sorted({*one["from"], *other["from"]}):
            was, now = one["from"].get(part, "?"), other["from"].get(part, "?")
            if was != now:
                yield Change(place, f"{action} {kind} {part}: {was} -> {now}", was != "?")
    for kind in sorted({*after["types"]} - {*before["types"]}):
        yield Change(place, f"{action} gains the resource type {kind}", False)


class Acknowledged:
    """acknowledged.json: {"from": digest of the version before, "losses": [{"where", "what", "why"}]}.

    `where` and `what` are as the report prints them, with * for any run. A `where` of any place needs a `what` without *.
    """

    def __init__(self, text):
        rows = json.loads(text)
        self.version = rows["from"]
        self.losses = rows["losses"]
        for row in self.losses:
            if set(row) != {"where", "what", "why"} or not all(isinstance(row[key], str) and row[key] for key in row):
                raise ValueError(f"acknowledged.json: a loss has where, what and why: {row}")
            if not row["where"].strip("*.") and "*" in row["what"] or not row["what"].strip("*. "):
                raise ValueError(f"acknowledged.json: `{row['where']}`, `{row['what']}` would acknowledge anything")

    def refused(self, changes, version):
        """The losses that no row names, and rows that name none; rows count for that version before only."""
        losses = [change for change in changes if change.is_loss]
        rows = self.losses if self.version == version else []

        def names(row, change):
            return fnmatch.fnmatchcase(change.place, escaped(row["where"])) and fnmatch.fnmatchcase(
                change.what, escaped(row["what"]))

        left = [change for change in losses if not any(names(row, change) for row in rows)]
        idle = [row for row in rows if not any(names(row, change) for change in losses)] if losses else []
        return left, idle


def escaped(pattern):
    """The pattern with only * special: reports quote lists in brackets, and a class of letters would be a * by stealth."""
    return pattern.replace("[", "[[]").replace("?", "[?]")
