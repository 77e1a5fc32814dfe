"""A policy folder that is hostile by number or by time, and reloads without end: calls go on, under a set that was read whole."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import gate as gates
from policies import FILES
from test_reload import GET, GETS, GOOD, KEY, TABLE, last_set, loads, put, reading, statements, wait_load  # noqa: F401


def fill(folder: Path, count: int, ending: str) -> None:
    for number in range(count):
        os.close(os.open(folder / f"z{number}{ending}", os.O_CREAT | os.O_WRONLY, 0o600))


def test_a_hundred_thousand_files_are_refused_or_passed_over_in_bounded_time(reading, gate, verifier):  # noqa: F811
    """Prints how long it takes: docs/policy.md says what that was."""
    verifier.expect("reads", least=3, most=100_000, **GET)
    reading.get_item(**GETS)
    good, took = last_set(gate), {}
    for ending, event in [(".yaml", "failed"), (".txt", "loaded")]:
        # Beside it first, so that all of them are there at once.
        crowd = gate.policies.with_name("crowd")
        shutil.copytree(gate.policies, crowd)
        crowd.chmod(0o700)
        fill(crowd, 100_000, ending)
        gate.policies.rename(gate.policies.with_name("away"))
        crowd.rename(gate.policies)
        before = len(loads(gate, event))
        begun = time.monotonic()
        gate.process.child.send_signal(signal.SIGHUP)
        entry = wait_load(gate, before + 1, event)
        took[ending] = round((time.monotonic() - begun) * 1e3)
        assert entry["policy"] == good
        if event == "failed":
            assert "holds more than 1000 policy files" in entry["error"]
        reading.get_item(**GETS)
        assert last_set(gate) == good
        gate.policies.rename(crowd)
        gate.policies.with_name("away").rename(gate.policies)
        shutil.rmtree(crowd)
    print(json.dumps({"100000_files_ms": took}))
    assert all(each < 10_000 for each in took.values()), took


def test_a_file_that_comes_and_goes_while_it_is_read_leaves_a_whole_set_in_force(reading, gate, verifier):  # noqa: F811
    verifier.expect("reads", least=3, most=100_000, **GET)
    reading.get_item(**GETS)
    without, ends = last_set(gate), threading.Event()
    put(gate, "more.yaml", GOOD)
    with_it = wait_load(gate, 1)["policy"]

    def flicker() -> None:
        while not ends.is_set():
            (gate.policies / "more.yaml").unlink()
            put(gate, "more.yaml", GOOD)

    thread = threading.Thread(target=flicker)
    thread.start()
    try:
        for _ in range(40):
            gate.process.child.send_signal(signal.SIGHUP)
            time.sleep(0.05)
            reading.get_item(**GETS)
            assert last_set(gate) in (without, with_it)
    finally:
        ends.set()
        thread.join()
    gate.process.child.send_signal(signal.SIGHUP)
    time.sleep(3)
    told = loads(gate)
    assert told[-1]["event"] == "loaded" and told[-1]["policy"] == with_it
    for entry in told:
        assert entry["policy"] in (without, with_it)
        assert "error" not in entry or "keeps changing" in entry["error"] or "cannot be opened" in entry["error"], entry["error"]
    assert gate.verify_log().returncode == 0


def test_what_the_uid_may_not_read_is_told_with_its_path():
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        program = shutil.copy(gates.binary(), folder / "countersign")
        policies = folder / "policies"
        policies.mkdir()
        for name, text in FILES.items():
            (policies / f"{name}.yaml").write_text(text)
        for path in [folder, policies, *policies.iterdir()]:
            path.chmod(0o755)

        def check() -> subprocess.CompletedProcess:
            return subprocess.run([program, "policy", "check", str(policies)], capture_output=True, text=True, timeout=60, user=1234)
        assert check().returncode in (0, 1)
        shut = policies / f"{next(iter(FILES))}.yaml"
        shut.chmod(0o600)
        run = check()
        assert run.returncode == 2 and f"{shut}" in run.stdout and "cannot be opened: Permission denied" in run.stdout, run.stdout
        shut.chmod(0o644)
        policies.chmod(0o700)
        run = check()
        assert run.returncode == 2 and "cannot be opened: Permission denied" in run.stdout, run.stdout
    finally:
        shutil.rmtree(folder)


def percentiles(times: list[float]) -> dict:
    times = sorted(times)
    return {"calls": len(times), "p50_ms": round(1e3 * times[len(times) // 2], 2),
            "p99_ms": round(1e3 * times[len(times) * 99 // 100], 2), "most_ms": round(1e3 * times[-1], 2)}


def test_reloads_every_second_stall_no_call(reading, gate, verifier):  # noqa: F811
    """Calls of one kept connection, by turns with and without a reload of 10,000 statements each second; prints what they took."""
    for name, text in statements(10_000).items():
        put(gate, name, text)
    wait_load(gate, 1)
    verifier.expect("reads", least=3, most=1_000_000, **GET)
    body = json.dumps(GETS).encode()
    head = {"X-Amz-Target": "DynamoDB_20120810.GetItem", "Content-Type": "application/x-amz-json-1.0"}
    line = http.client.HTTPConnection("127.0.0.1", gate.port)

    def calls(seconds: float) -> list[float]:
        times, ends = [], time.monotonic() + seconds
        while (begun := time.monotonic()) < ends:
            line.request("POST", "/", body, head)
            answer = line.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()
            times.append(time.monotonic() - begun)
        return times

    def reload(ends: threading.Event) -> None:
        while not ends.wait(1):
            gate.process.child.send_signal(signal.SIGHUP)

    calls(1)
    quiet, beside = [], []
    before = len(loads(gate, "loaded"))
    for _ in range(3):
        quiet += calls(4)
        ends = threading.Event()
        reloader = threading.Thread(target=reload, args=(ends,))
        reloader.start()
        beside += calls(4)
        ends.set()
        reloader.join()
    count = len(loads(gate, "loaded")) - before
    print(json.dumps({"reloads": count, "quiet": percentiles(quiet), "beside": percentiles(beside)}))
    assert count >= 3
