"""Policies that change under a running gate: taken whole once they have settled, or not at all."""

import json
import os
import signal
import socket
import threading
import time

import pytest
from botocore.exceptions import ClientError

from policies import ACCOUNT, FILES, table
from test_services import KEY, TABLE

GET = {"service": "dynamodb", "operation": "GetItem", "method": "POST", "path": "/"}
GETS = {"TableName": "journey-orders", "Key": KEY}
MORE = 'Countersign: 1\nId: more\nAgents: ["*"]\nStatement:\n'
DENY = f'  - {{Sid: No, Effect: Deny, Action: dynamodb:GetItem, Resource: "{table("journey*")}"}}\n'
GOOD = MORE + f'  - {{Sid: Yes, Effect: Allow, Action: dynamodb:GetItem, Resource: "{table("other")}"}}\n'


def loads(gate, event: str | None = None) -> list[dict]:
    return [entry for entry in gate.entries()
            if entry["type"] == "policy" and event in (None, entry["event"])]


def wait_load(gate, count: int, event: str | None = None, seconds: float = 30) -> dict:
    """The entry of the load of that number."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if len(found := loads(gate, event)) >= count:
            return found[count - 1]
        time.sleep(0.05)
    raise AssertionError(f"{len(loads(gate, event))} loads ({event}), wanted {count}:\n{gate.process.said()[-2000:]}")


def put(gate, name: str, text: str | bytes, mode: int = 0o600) -> None:
    """Writes a file as a careful editor does: beside it, then in its place."""
    beside = gate.policies / f".{name}.new"
    beside.write_bytes(text.encode() if isinstance(text, str) else text)
    beside.chmod(mode)
    beside.rename(gate.policies / name)


@pytest.fixture
def reading(agent, moto):
    moto.client("dynamodb").create_table(**TABLE)
    moto.client("dynamodb").put_item(TableName="journey-orders", Item=KEY)
    return agent.client("dynamodb")


def last_set(gate) -> str:
    return [entry["policy"] for entry in gate.entries() if entry["type"] == "request"][-1]


def test_a_change_is_taken_by_itself_and_each_entry_names_its_set(reading, gate, verifier):
    verifier.expect("reads", times=3, **GET)
    reading.get_item(**GETS)
    first = last_set(gate)
    put(gate, "more.yaml", GOOD)
    loaded = wait_load(gate, 1)
    assert loaded["event"] == "loaded" and loaded["policy"] != first
    reading.get_item(**GETS)
    assert last_set(gate) == loaded["policy"]
    put(gate, "more.yaml", MORE + DENY)
    wait_load(gate, 2)
    with pytest.raises(ClientError):
        reading.get_item(**GETS)
    (gate.policies / "more.yaml").unlink()
    assert wait_load(gate, 3)["policy"] == first
    reading.get_item(**GETS)
    assert last_set(gate) == first
    # The folder itself gives way to another.
    new = gate.policies.with_name("new")
    new.mkdir(mode=0o700)
    for name, text in {**FILES, "more": GOOD}.items():
        (new / f"{name}.yaml").write_text(text)
        (new / f"{name}.yaml").chmod(0o600)
    gate.policies.rename(gate.policies.with_name("old"))
    new.rename(gate.policies)
    assert wait_load(gate, 4)["policy"] == loaded["policy"]


def test_files_that_are_written_one_after_the_other_are_loaded_once(gate):
    """As a checkout does: the first files of it say less than all of them."""
    for number in range(20):
        with open(gate.policies / f"many-{number}.yaml", "w") as file:
            file.write(GOOD.replace("Id: more", f"Id: many-{number}")[:60])
            file.flush()
            time.sleep(0.05)
            file.write(GOOD.replace("Id: more", f"Id: many-{number}")[60:])
    loaded = wait_load(gate, 1)
    time.sleep(2.5)
    assert len(loads(gate)) == 1 and loaded["event"] == "loaded"
    assert loaded["statements"] >= 20


def hostile(gate) -> dict:
    """Each way to spoil the folder: a name, what does it, and what the error says."""
    text = lambda more: (lambda: put(gate, "bad.yaml", more))  # noqa: E731
    json_text = lambda more: (lambda: put(gate, "bad.json", more))  # noqa: E731
    bad = gate.policies / "bad.yaml"
    elsewhere = gate.folder / "elsewhere.yaml"
    elsewhere.write_text(GOOD)

    def other(mode: int = 0o600, uid: int = 0):
        def do() -> None:
            put(gate, "bad.yaml", GOOD, mode)
            os.chown(bad, uid, -1)
        return do

    def many() -> None:
        for number in range(1_001):
            (gate.policies / f"bad-{number}.yaml").write_bytes(b"")

    def a_socket() -> None:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(bad))

    plain = '{"Version": "2012-10-17", "Statement": []'
    found = {
        "empty": (text(""), "bad.yaml:1:1: the file is empty"),
        "a Boolean of YAML 1.1": (text(GOOD.replace("Agents: [\"*\"]", "Agents: no")[:-1] + " \n    X: yes\n"), "bad.yaml:"),
        "an octal account": (text(GOOD.replace(f":{ACCOUNT}:", ":012:").replace("Effect: Allow", "Effect: 0777")),
                             "`0777` is no `Effect`"),
        "sixty to the minute": (text(GOOD + "    Approval: 1:30\n"), "bad.yaml:"),
        "a key twice": (text(GOOD + "Id: again\n"), "key `Id` is here twice"),
        "an anchor": (text(GOOD.replace("Id: more", "Id: &a more")), "anchor `&a` is not accepted"),
        "an alias": (text(GOOD.replace("Id: more", "Id: *a")), "`*a` is not accepted"),
        "a merge key": (text(GOOD + "<<: {Id: x}\n"), "merge key `<<` is not accepted"),
        "a tag": (text(GOOD.replace("Id: more", "Id: !!str more")), "is not accepted"),
        "two documents": (text(GOOD + "---\n" + GOOD), "a second document"),
        "a tab": (text(GOOD + "\t"), "a tab"),
        "bytes that are no UTF-8": (text(GOOD.encode() + b"# \xff\n"), "is not UTF-8"),
        "a byte order mark": (text(b"\xef\xbb\xbf" + GOOD.encode()), "byte order mark"),
        "a NUL": (text(GOOD + "# \0\n"), "control character"),
        "a text that runs backwards": (text(GOOD.replace("Id: more", "Id: mo\u202ere")), "is no `Id`"),
        "a letter of no width": (text(GOOD.replace("Sid: Yes", "Sid: Y\u200bes")), "is no `Sid`"),
        "depth": (text("[" * 200 + "]" * 200), "levels deep"),
        "a billion laughs": (text("a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]\n"), "is not accepted"),
        "a MiB and a byte": (text(GOOD + "#" * (1 << 20)), "larger than 1048576 bytes"),
        "a JSON key twice": (json_text(plain + ', "Version": "2012-10-17"}'), "key `Version` is here twice"),
        "a comma too many": (json_text(plain + ",}"), "bad.json:1:43: not JSON"),
        "a comment in JSON": (json_text(plain + "} // x"), "bad.json:1:"),
        "a large number": (json_text('{"Version": 1e999999, "Statement": []}'), "version `1e999999` is not read"),
        "deep JSON": (json_text('{"a":' * 200 + "1" + "}" * 200), "levels deep"),
        "a file that others can write": (other(0o666), "can be written by others"),
        "a file of another's": (other(uid=1234), "belongs to uid 1234"),
        "a folder that others can write": (lambda: gate.policies.chmod(0o777), "can be written by others"),
        "a folder of another's": (lambda: os.chown(gate.policies, 1234, -1), "belongs to uid 1234"),
        "a link to a file": (lambda: bad.symlink_to(elsewhere), "bad.yaml: is a symbolic link"),
        "a link in a circle": (lambda: bad.symlink_to(bad), "bad.yaml: is a symbolic link"),
        "a pipe": (lambda: os.mkfifo(bad), "bad.yaml: is not a regular file"),
        "a device": (lambda: os.mknod(bad, 0o020600, os.makedev(1, 5)), "bad.yaml: is not a regular file"),
        "a socket": (a_socket, "bad.yaml: cannot be opened"),
        "a folder in its place": (bad.mkdir, "bad.yaml: is not a regular file"),
        "a thousand files and one": (many, "holds more than 1000 policy files"),
        "a name that hides": (lambda: (gate.policies / "a\u202eb.yaml").write_text(GOOD), "cannot be shown"),
        "a name that is no UTF-8": (
            lambda: open(os.fsencode(gate.policies) + b"/a\xff.yaml", "w").close(), "cannot be shown"),
        "no folder": (lambda: gate.policies.rename(gate.folder / "away"), "cannot be opened"),
        "a file for a folder": (
            lambda: (gate.policies.rename(gate.folder / "away"), gate.policies.write_text("x")), "is not a folder"),
    }
    return found


def mend(gate) -> None:
    """The folder as it was at start."""
    if (away := gate.folder / "away").exists():
        if gate.policies.exists():
            gate.policies.unlink()
        away.rename(gate.policies)
    for entry in os.scandir(os.fsencode(gate.policies)):
        if entry.name not in {f"{name}.yaml".encode() for name in FILES}:
            os.rmdir(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
    os.chown(gate.policies, 0, -1)
    gate.policies.chmod(0o700)


def test_a_hostile_folder_is_told_of_and_changes_nothing(reading, gate, verifier):
    if os.geteuid() != 0:
        pytest.fail("owners are changed here: run as root, as in CI")
    cases = hostile(gate)
    verifier.expect("reads", times=2 * len(cases) + 1, **GET)
    reading.get_item(**GETS)
    good = last_set(gate)
    failures, mended, untold = 0, 0, []
    for name, (spoil, told) in cases.items():
        spoil()
        failures += 1
        error = wait_load(gate, failures, "failed")
        if told not in error["error"]:
            untold.append(f"{name}: {error['error'][:500]}")
        assert error["policy"] == good
        reading.get_item(**GETS)
        assert last_set(gate) == good, name
        mend(gate)
        mended += 1
        assert wait_load(gate, mended, "loaded")["policy"] == good, name
        reading.get_item(**GETS)
        assert last_set(gate) == good, name
    assert not untold, "\n".join(untold)
    said = gate.process.said()
    assert said.count("the last good set stays in force") == len(cases)
    assert gate.verify_log().returncode == 0


def statements(count: int) -> dict[str, str]:
    """Files of 100 statements each."""
    files = {}
    for first in range(0, count, 100):
        lines = [f'Countersign: 1\nId: large-{first}\nAgents: ["team-{first}-*"]\nStatement:']
        for number in range(first, first + 100):
            lines.append(
                f"  - Sid: S{number}\n    Effect: Allow\n    Action: [dynamodb:GetItem, dynamodb:Query, s3:GetObject]\n"
                f'    Resource: ["{table(f"t{number}")}", "arn:aws:s3:::bucket-{number}/*"]')
        files[f"large-{first}.yaml"] = "\n".join(lines) + "\n"
    return files


def test_a_reload_of_10000_statements_stalls_no_call(reading, gate, verifier):
    """Prints how long calls take beside it: docs/performance.md says what that was."""
    for name, text in statements(10_000).items():
        put(gate, name, text)
    wait_load(gate, 1)
    times: list[tuple[float, float]] = []
    ends = threading.Event()

    def call() -> None:
        while not ends.is_set():
            begun = time.monotonic()
            reading.get_item(**GETS)
            times.append((begun, time.monotonic() - begun))

    verifier.expect("reads", least=3, most=100_000, **GET)
    caller = threading.Thread(target=call)
    caller.start()
    try:
        time.sleep(3)
        put(gate, "more.yaml", GOOD)
        begun = time.monotonic()
        gate.process.child.send_signal(signal.SIGHUP)
        wait_load(gate, 2)
        took = time.monotonic() - begun
        time.sleep(1)
    finally:
        ends.set()
        caller.join()
    quiet = sorted(spent for at, spent in times if at + spent < begun)
    beside = sorted(spent for at, spent in times if begun <= at + spent <= begun + took)
    print(json.dumps({"reload_ms": round(took * 1e3), "calls_beside": len(beside),
                      "median_ms": [round(1e3 * each[len(each) // 2], 1) for each in (quiet, beside) if each],
                      "most_ms": [round(1e3 * each[-1], 1) for each in (quiet, beside) if each]}))
    assert len(beside) >= 3, f"{len(beside)} calls in the {took:.2f} s of a reload"
