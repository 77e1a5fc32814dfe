"""Every client that Debian and PyPI have, unchanged, as an agent's command: `countersign run -- CLIENT` (realclients.py).

Behind the gate stands the verifier, behind that SeaweedFS, which checks signatures too. Each client puts, lists, gets and
deletes objects of its own; what it got is compared by itself, what arrived by the verifier, and the log says whose call it was.
"""

import subprocess
from pathlib import Path

import pytest

import policies
from gate import AGENT, GATEWAY_KEYS, Gate, binary
from realclients import CLIENTS, LARGE, SMALL
from stand import REPOSITORY, clean_environment
from verifier import Verifier
from weed import Weed

TOOLS = REPOSITORY / ".venv-clients/bin"
TASK, REASON = "JIRA-42 \"tidy up\"", "the customer asked; twice"
# SeaweedFS answers 416 to the range of an empty object, which S3 does not, and has no STS, which Terraform asks who it is.
AT_MOTO = {"awscrt", "terraform"}
# What S3 gets of each client's call, whatever framing it came in.
FRAMING = {"x-amz-decoded-content-length", "x-amz-trailer", "transfer-encoding"}
POLICY = f"""\
Countersign: 1
Id: real
Agents: ["{AGENT}"]
Statement:
  - {{Sid: Objects, Effect: Allow, Action: "s3:*", Resource: "arn:aws:s3:::journey-*"}}
"""


@pytest.fixture(scope="module")
def weed(tmp_path_factory):
    assert (TOOLS / "weed").exists(), "the clients are not installed: scripts/setup --clients"
    weed = Weed(tmp_path_factory.mktemp("weed"), TOOLS / "weed")
    yield weed
    weed.process.kill()


@pytest.mark.parametrize("client", sorted(CLIENTS))
def test_client_runs_as_an_agent(client, weed, moto_process, tmp_path):
    bucket = f"journey-{client}"
    if client in AT_MOTO:
        moto_process.client("s3").create_bucket(Bucket=bucket)
    else:
        weed.bucket(bucket)
    with Verifier(GATEWAY_KEYS, moto=(moto_process if client in AT_MOTO else weed).address) as verifier:
        verifier.expect("objects", least=4, most=200, service="s3")
        verifier.expect("who", least=0, most=9, service="sts", operation="GetCallerIdentity")
        gate = Gate(tmp_path, verifier.url)
        gate.write_policies(real=POLICY, agents=policies.AGENTS, approvers=policies.APPROVERS)
        gate.start()
        done = run_as_agent(gate, tmp_path, TOOLS / "python", REPOSITORY / "Tests/clients/realclients.py", client, bucket)
        assert done.returncode == 0 and done.stdout.endswith("done\n"), done.stdout + done.stderr
        gate.stop()
        verifier.assert_expected()
        check_arrivals(verifier, client)
        check_entries(gate)


def run_as_agent(gate: Gate, folder: Path, *command) -> subprocess.CompletedProcess:
    return subprocess.run(
        [binary(), "run", "--agent-socket", str(gate.agents), "--agent", AGENT, "--task", TASK, "--reason", REASON,
         "--", *map(str, command)],
        env=clean_environment(folder) | {"XDG_RUNTIME_DIR": str(folder)}, capture_output=True, text=True, timeout=300)


def check_arrivals(verifier: Verifier, client: str) -> None:
    """What left the gate: plain objects, no framing, none of the agent's own signature."""
    puts = [arrival for arrival in verifier.seen() if arrival.method == "PUT" and arrival.body_bytes]
    assert puts
    for arrival in puts:
        names = {name for name, _ in arrival.headers}
        assert not names & FRAMING, arrival
        assert "aws-chunked" not in dict(arrival.headers).get("content-encoding", ""), arrival
        assert b"chunk-signature=" not in arrival.body, arrival
    if client not in ("polars", "restic", "terraform"):
        assert {SMALL, LARGE} <= {arrival.body for arrival in puts}, client


def check_entries(gate: Gate) -> None:
    """Whose each call was, as the log has it."""
    entries = gate.entries()
    requests = [entry for entry in entries if entry["type"] == "request"]
    assert len(requests) >= 4
    said = [{"text": text, "source": "session-token"} for text in (TASK, REASON)]
    for entry in requests:
        assert (entry["agent"], entry["strength"]) == (AGENT, "signed"), entry
        assert [entry["task"], entry["reason"]] == said, entry
    opened = [entry for entry in entries if entry["type"] == "session" and [entry.get("task"), entry.get("reason")] == said]
    assert len(opened) == 1 and opened[0]["event"] == "opened", opened
    assert {entry["session"] for entry in requests} == {opened[0]["session"]}
    assert not [entry for entry in entries if entry["type"] == "denied"]
    assert gate.verify_log().returncode == 0
