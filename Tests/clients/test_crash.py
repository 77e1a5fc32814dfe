"""Crash safety in two ways: killed under load twenty times, and the order of write, sync and send as recorded."""

import json
import os
import random
import threading
import time

import pytest

import chaos
from agents import Agent
from gate import GATEWAY_KEYS, Gate
from policies import FILES
from syncorder import Replay, Send, build_recorder, read_trace
from verifier import Verifier

READS = ("GetItem",)


def test_twenty_kills_under_load(tmp_path):
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    chaos.run(20, tmp_path, seed)


def needs_sync(send: Send) -> bool:
    """Writes and gated calls wait for the sync; an allowed read need not."""
    return (send.header("x-amz-target") or "").rpartition(".")[2] not in READS


def mixed_calls(gate: Gate, folder) -> None:
    """Reads, writes and approved deletes at the same time, so that syncs and sends have every chance to cross."""
    client = Agent(gate.url, folder).client("dynamodb", max_pool_connections=16)

    def work(number: int) -> None:
        for step in range(6):
            key = {"id": {"S": f"{number}-{step}"}}
            client.put_item(TableName="journey-orders", Item=key)
            client.get_item(TableName="journey-orders", Key=key)
        client.delete_item(TableName="journey-orders", Key=key)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
        for approval in gate.inbox():
            gate.approve(approval["id"])
        time.sleep(0.05)
    for thread in threads:
        thread.join(10)


@pytest.fixture(params=["plain", "tls"])
def recorded(request, tmp_path, gate_folder):
    """A run of the gate under the recorder: its state folder and what it did, in order."""
    tls = tmp_path / "tls" if request.param == "tls" else None
    if tls:
        tls.mkdir()
    recorder = build_recorder(tmp_path)
    with Verifier(GATEWAY_KEYS, responder=chaos.answer, tls_folder=tls) as verifier:
        verifier.expect("put", times=48, operation="PutItem")
        verifier.expect("get", times=48, operation="GetItem")
        verifier.expect("delete", times=8, operation="DeleteItem")
        trust = ("--ca-bundle", str(verifier.ca_file)) if tls else ()
        gate = Gate(gate_folder, verifier.url, options=trust, preload={
            "LD_PRELOAD": str(recorder), "RECORDER_FILE": str(tmp_path / "trace"),
            "RECORDER_PREFIX": str(gate_folder / "state/log")})
        gate.write_policies(**FILES)
        gate.start()
        try:
            mixed_calls(gate, tmp_path)
        finally:
            gate.stop()
        verifier.assert_expected()
    return gate, Replay(read_trace(tmp_path / "trace"))


def test_no_send_precedes_its_sync_and_what_a_crash_leaves_verifies(recorded, tmp_path):
    gate, replay = recorded
    assert len(replay.sends) == 104 and replay.syncs > 0
    late = replay.unsynced_sends(needs_sync)
    assert not late, f"{len(late)} sends before their entry was synced: {late[0].head[:300]!r}"
    # The recorder saw all of the log: what it holds is what is on the disk.
    for path, file in replay.files.items():
        if path.endswith(".jsonl"):
            with open(path, "rb") as log:
                assert log.read() == bytes(file.content)
    chance = random.Random(7)
    moments = [replay.states[0], replay.states[-1], *chance.sample(replay.states, min(20, len(replay.states)))]
    for number, (_, durable) in enumerate(moments):
        for torn in (0, chance.randrange(1, 400)):
            after = Gate(gate.folder, gate.upstream)
            after.state = tmp_path / f"crash-{number}-{torn}"
            replay.crash_state(gate.state, after.state, durable, torn)
            verified = after.verify_log()
            assert verified.returncode == 0, f"torn by {torn}: {verified.stdout}{verified.stderr}"


def test_the_gate_starts_on_what_a_crash_left(recorded, tmp_path):
    gate, replay = recorded
    _, durable = replay.states[len(replay.states) // 2]
    replay.crash_state(gate.state, tmp_path / "crash", durable, 33)
    with Verifier(GATEWAY_KEYS, responder=chaos.answer) as verifier:
        after = Gate(gate.folder, verifier.url)
        after.state = tmp_path / "crash"
        after.start()
        after.stop()
        assert verifier.seen() == [], "nothing is sent again at start"
    assert after.verify_log().returncode == 0
    assert chaos.check_closed(after) == []
    assert any(entry["type"] == "gap" for entry in after.entries()), json.dumps(after.entries()[-3:])
