"""kill -9 under load, many times: the log verifies, every request that left has its intent, no grant is used twice.

    python chaos.py ROUNDS [--seed N] [--clients N] [--keep FOLDER]

Sixteen clients read, write, and delete (each delete is held and approved once); the gate is killed at a random moment
and started again on the same state. Run by `scripts/chaos`, and by pytest for twenty rounds.
"""

import argparse
import http.client
import json
import random
import re
import shutil
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from gate import GATEWAY_KEYS, Gate
from policies import FILES
from rawhttp import Request
from verifier import Arrival, Verifier

#: a fresh state folder after so many rounds, so that verifying stays quick
ROUNDS_PER_STATE = 25
MARKER = re.compile(r"chaos-[0-9a-f]{12}")


def answer(request: Request):
    """What the upstream says to everything: an empty JSON document, as DynamoDB does."""
    return 200, [("Content-Type", "application/x-amz-json-1.0"), ("x-amzn-RequestId", uuid.uuid4().hex)], b"{}"


@dataclass
class Tally:
    """What the clients saw and did, for the closing line."""

    sent: Counter = field(default_factory=Counter)
    answers: Counter = field(default_factory=Counter)
    approved: dict[str, str] = field(default_factory=dict)
    starts: list[float] = field(default_factory=list)
    #: whole requests that reached the upstream, and looks at the log that found it sound
    arrived: int = 0
    verified: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, kind: str, status: int | str) -> None:
        with self.lock:
            self.sent[kind] += 1
            self.answers[status] += 1


class Load:
    """The clients and the approver. They go on through kills, as agents do: same call, same invocation id."""

    def __init__(self, gate: Gate, clients: int, seed: int):
        self.gate, self.tally, self.ending = gate, Tally(), threading.Event()
        self.faults: list[str] = []
        self.threads = [threading.Thread(target=self._client, args=(random.Random(f"{seed}/{n}"),), daemon=True)
                        for n in range(clients)]
        self.threads.append(threading.Thread(target=self._approver, daemon=True))

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.ending.set()
        for thread in self.threads:
            thread.join(30)

    def _client(self, chance: random.Random) -> None:
        while not self.ending.is_set():
            kind = chance.choices(["GetItem", "PutItem", "DeleteItem"], [4, 4, 2])[0]
            marker = f"chaos-{uuid.uuid4().hex[:12]}"
            member = "Item" if kind == "PutItem" else "Key"
            body = json.dumps({"TableName": "journey-chaos", member: {"id": {"S": marker}}}).encode()
            invocation = str(uuid.uuid4())
            for attempt in range(1, 6):
                status = self._call(kind, body, invocation, attempt)
                self.tally.count(kind, status)
                if status in (200, 400, 403) or self.ending.is_set():
                    break
                self.ending.wait(0.05)

    def _call(self, kind: str, body: bytes, invocation: str, attempt: int) -> int | str:
        connection = http.client.HTTPConnection("127.0.0.1", self.gate.port, timeout=8)
        try:
            connection.request("POST", "/", body, {
                "X-Amz-Target": "DynamoDB_20120810." + kind, "Content-Type": "application/x-amz-json-1.0",
                "amz-sdk-invocation-id": invocation, "amz-sdk-request": f"attempt={attempt}; max=5"})
            response = connection.getresponse()
            response.read()
            return response.status
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            connection.close()

    def _approver(self) -> None:
        while not self.ending.is_set():
            try:
                waiting = self.gate.inbox()
            except Exception:  # noqa: BLE001  the gate is down just now, or going down
                self.ending.wait(0.1)
                continue
            for approval in waiting:
                self._answer(approval)
            self.ending.wait(0.02)

    def _answer(self, approval: dict) -> None:
        """Approves each delete once in its life; a second question about the same delete is denied."""
        text = json.dumps(approval)
        try:
            if not MARKER.search(text):
                text = json.dumps(self.gate.show(approval["id"]))
            found = MARKER.search(text)
            if not found:
                self.faults.append(f"the card does not say what will be sent: {text}")
                return
            if self.tally.approved.setdefault(found.group(0), approval["id"]) == approval["id"]:
                self.gate.approve(approval["id"])
            else:
                self.gate.deny(approval["id"])
        except (AssertionError, ValueError):
            return  # the gate went down under the command; the approval is asked about again


def check(gate: Gate, arrivals: list[Arrival], tally: Tally) -> list[str]:
    """What is wrong with the log and the arrivals so far; the gate is down."""
    faults = []
    verified = gate.verify_log()
    if verified.returncode != 0:
        faults.append(f"log verify: {verified.returncode} {verified.stdout}{verified.stderr}")
    tally.verified += verified.returncode == 0
    entries = gate.entries()
    intents = Counter(e.get("invocation") for e in entries if e.get("type") == "request")
    sent = Counter()
    for arrival in arrivals:
        faults += [f"violation: {v}" for v in arrival.violations if not v.startswith("cut:")]
        if arrival.violations:
            continue
        sent[arrival.invocation] += 1
        if arrival.operation == "DeleteItem":
            marker = MARKER.search(arrival.body.decode())
            sent[marker.group(0) if marker else arrival.body] += 1
    for key, count in sent.items():
        if str(key).startswith("chaos-"):
            if count > 1:
                faults.append(f"{key}: one approval, deleted {count} times")
            if key not in tally.approved:
                faults.append(f"{key}: deleted without an approval")
        elif intents[key] < count:
            faults.append(f"invocation {key}: arrived {count} times, {intents[key]} intents in the log")
    uses = Counter(json.dumps(use, sort_keys=True) for e in entries if e.get("type") == "request"
                   for use in e.get("uses", []))
    faults += [f"use {use} stands in {count} requests" for use, count in uses.items() if count > 1]
    return faults


def check_closed(gate: Gate) -> list[str]:
    """After a good stop: every request has an outcome, those that a kill cut off as `unknown` or not sent."""
    entries = gate.entries()
    open_requests = {e["req"] for e in entries if e.get("type") == "request"}
    open_requests -= {e.get("req") for e in entries if e.get("type") == "outcome"}
    return [f"request {request} has no outcome" for request in sorted(open_requests)]


def run(rounds: int, folder: Path, seed: int, clients: int = 16, tell=lambda text: None) -> Tally:
    """Plays `rounds` kills; raises AssertionError with all that was wrong, and the seed."""
    chance = random.Random(seed)
    total = Tally()
    for begin in range(0, rounds, ROUNDS_PER_STATE):
        state = folder / f"state-{begin}"
        state.mkdir(mode=0o700)
        with Verifier(GATEWAY_KEYS, responder=answer) as verifier:
            gate = Gate(state, verifier.url)
            gate.write_policies(**FILES)
            load = Load(gate, clients, seed + begin)
            faults: list[str] = []
            for number in range(begin, min(begin + ROUNDS_PER_STATE, rounds)):
                begun = time.monotonic()
                gate.start()
                load.tally.starts.append(time.monotonic() - begun)
                if number == begin:
                    load.start()
                time.sleep(chance.uniform(0.15, 1.2))
                gate.kill()
                faults += load.faults + check(gate, verifier.seen(), load.tally)
                assert not faults, f"seed {seed}, round {number + 1}:\n" + "\n".join(faults[:20])
                tell(f"round {number + 1}: {len(verifier.arrivals)} arrived, {len(load.tally.approved)} approved")
            load.stop()
            gate.start()
            gate.stop()
            faults = check(gate, verifier.seen(), load.tally) + check_closed(gate)
            assert not faults, f"seed {seed}, after round {number + 1}:\n" + "\n".join(faults[:20])
            assert verifier.arrivals and load.tally.approved, "the load never reached the upstream"
        total.sent += load.tally.sent
        total.answers += load.tally.answers
        total.approved |= load.tally.approved
        total.starts += load.tally.starts
        total.arrived += sum(not arrival.violations for arrival in verifier.seen())
        total.verified += load.tally.verified
        shutil.rmtree(state)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=int)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--keep", type=Path, help="play in this folder and leave it when something is wrong")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(exist_ok=True)
    print(f"chaos: seed {options.seed}, {options.clients} clients, in {folder}")
    begun = time.monotonic()
    try:
        tally = run(options.rounds, folder, options.seed, options.clients, lambda text: print(text, flush=True))
    except AssertionError as wrong:
        print(f"chaos: {wrong}")
        return 1
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    starts = sorted(tally.starts)
    print(f"chaos: {options.rounds} kills in {time.monotonic() - begun:.0f} s; clients sent {dict(tally.sent)}; answers "
          f"{dict(tally.answers)}; {len(tally.approved)} deletes held and approved; {tally.arrived} requests arrived "
          f"upstream; the log verified {tally.verified} times; start {starts[len(starts) // 2] * 1000:.0f} ms median")
    return 0


if __name__ == "__main__":
    sys.exit(main())
