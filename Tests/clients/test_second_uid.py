"""A second uid attacks every socket, port and file of the gate: nothing it holds or says decides."""

import os
import shutil
import socket
import stat
import subprocess
import time

import pytest

import chaos
import desk
from gate import GATEWAY_KEYS, Gate, binary
from policies import AGENTS, table
from verifier import Verifier

#: the agent's uid; mia is the person whose laptop it is, so it is an approver's too
AGENT_UID, ALICE, CAROL, STRANGER, CAROLS_SECOND = 61001, 61002, 61003, 61004, 61005
#: the group of the control socket
APPROVERS_GID = 61099
APPROVERS = f"""\
Countersign: 1
People:
  - {{Name: mia, Uids: [{AGENT_UID}]}}
  - {{Name: alice, Uids: [{ALICE}]}}
  - {{Name: carol, Uids: [{CAROL}, {CAROLS_SECOND}]}}
Groups:
  oncall: [alice, carol, mia]
"""
ASKS = f"""\
Countersign: 1
Id: asks
Agents: ["*"]
Statement:
  - Sid: DeletesAsk
    Effect: AllowWithApproval
    Action: dynamodb:DeleteItem
    Resource: "{table('quick*')}"
    Approval: {{Approvers: [oncall], Scope: exact, Hold: 0s}}
"""
FILES = {"agents": AGENTS, "approvers": APPROVERS, "asks": ASKS}


@pytest.fixture(scope="module", autouse=True)
def root():
    assert os.geteuid() == 0, "these journeys change their uid: run them as root"


@pytest.fixture
def folder():
    folder = desk.open_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def verifier():
    with Verifier(GATEWAY_KEYS, responder=chaos.answer) as verifier:
        yield verifier


@pytest.fixture
def gate(folder, verifier):
    """A gate that is strict about uids."""
    gate = Gate(folder, verifier.url, same_uid=False, options=("--control-group", str(APPROVERS_GID)))
    gate.write_policies(**FILES)
    gate.start()
    yield gate
    gate.stop()
    assert gate.verify_log().returncode == 0


def by_agent(function, *arguments, groups=()):
    return desk.as_uid(AGENT_UID, function, *arguments, groups=groups)


def by_approver(uid, function, *arguments):
    return desk.as_uid(uid, function, *arguments, groups=(APPROVERS_GID,))


def asked(gate, key="o-1") -> str:
    """The id of the approval of a call that the agent's own uid made."""
    reply = by_agent(desk.delete, gate.port, key)
    assert reply.code == "ApprovalRequired", reply
    return reply.headers["x-countersign-approval-id"]


def state(gate, approval) -> str:
    return desk.show(gate.control, approval)["state"]


def test_sockets_and_folders_are_open_to_those_they_are_for_and_to_nobody_else(gate):
    def mode(path):
        return stat.S_IMODE(os.stat(path).st_mode)
    assert mode(gate.control) == 0o660 and os.stat(gate.control).st_gid == APPROVERS_GID
    assert mode(gate.agents) == 0o666
    for folder in [gate.state, gate.state / "log"]:
        assert mode(folder) == 0o700
    for path in gate.state.rglob("*"):
        assert mode(path) & 0o077 == 0, path
    with pytest.raises(PermissionError):
        by_agent(desk.ask, gate.control, "GET", "/v1/inbox")
    with pytest.raises(PermissionError):
        by_agent(os.listdir, gate.state)


def test_a_folder_made_for_sockets_lets_others_pass(folder, verifier):
    gate = Gate(folder, verifier.url, same_uid=False, options=("--control-group", str(APPROVERS_GID)))
    gate.control, gate.agents = folder / "run/control.sock", folder / "run/agent.sock"
    gate.write_policies(**FILES)
    gate.start()
    try:
        assert by_approver(ALICE, desk.waiting, gate.control) == []
        assert stat.S_IMODE(os.stat(folder / "run").st_mode) == 0o711
    finally:
        gate.stop()


def test_the_agents_own_uid_does_not_decide(gate, verifier):
    """Not even where it is an approver's, and in the group of the control socket."""
    approval = asked(gate)
    refused = by_agent(desk.review, gate.control, approval, groups=(APPROVERS_GID,))
    assert refused.status == 403 and refused.code == "SameUID", refused
    assert state(gate, approval) == "pending"
    assert by_approver(ALICE, desk.review, gate.control, approval).status == 200
    assert by_agent(desk.delete, gate.port).status == 200
    assert len(verifier.seen()) == 1


def send_and_close(port: int, key: str) -> None:
    """One call whose client is gone, and with it the kernel's memory of its uid, before it is looked for."""
    body = desk.delete_body(key)
    head = (f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: DynamoDB_20120810.DeleteItem\r\n"
            f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.sendall(head + body)
    sock.close()


def test_a_client_that_hangs_up_at_once_is_not_taken_for_root(gate, verifier):
    for number in range(40):
        by_agent(send_and_close, gate.port, f"gone-{number}")
    time.sleep(0.5)
    cards = desk.waiting(gate.control)
    assert {card["requester"]["uid"] for card in cards} <= {None, AGENT_UID}, cards
    for card in cards:
        refused = by_agent(desk.review, gate.control, card["approval"], groups=(APPROVERS_GID,))
        assert refused.code == "SameUID", refused
    assert verifier.seen() == []


def test_a_person_with_two_uids_does_not_answer_their_own_call(gate):
    reply = desk.as_uid(CAROL, desk.delete, gate.port, "o-1")
    approval = reply.headers["x-countersign-approval-id"]
    refused = by_approver(CAROLS_SECOND, desk.review, gate.control, approval)
    assert refused.code == "SameUID", refused
    assert by_approver(ALICE, desk.review, gate.control, approval).status == 200


def test_a_nonce_is_one_approvers_for_one_card_and_one_answer(gate):
    first, second = asked(gate, "o-1"), asked(gate, "o-2")
    alices = by_approver(ALICE, desk.show, gate.control, first)["nonce"]
    carols = by_approver(CAROL, desk.show, gate.control, first)["nonce"]
    for uid, approval, nonce in [(CAROL, first, alices), (ALICE, second, alices), (ALICE, first, carols),
                                 (ALICE, first, "0" * 32), (ALICE, first, alices[:-1]), (ALICE, first, "")]:
        refused = by_approver(uid, desk.review, gate.control, approval, "approve", nonce or " ")
        assert refused.status == 409 and refused.code == "ShowFirst", (uid, approval, refused)
    assert by_approver(ALICE, desk.review, gate.control, first, "approve", alices).status == 200
    assert by_approver(ALICE, desk.review, gate.control, first, "deny", alices).status == 409
    assert state(gate, first) == "approved" and state(gate, second) == "pending"


def test_the_group_of_the_socket_reads_but_only_approvers_decide(gate):
    approval = asked(gate)
    card = by_approver(STRANGER, desk.show, gate.control, approval)
    assert "nonce" not in card and "approver" not in card
    assert by_approver(STRANGER, desk.review, gate.control, approval, "approve", "0" * 32).code == "NotAnApprover"
    grant = by_approver(ALICE, desk.review, gate.control, approval).json["grant"]
    refused = by_approver(STRANGER, desk.ask, gate.control, "POST", f"/v1/grants/{grant}/revoke", {})
    assert refused.status == 403 and refused.code == "NotAnApprover"


ROUTES = [("GET", "/v1/inbox"), ("GET", "/v1/grants"), ("GET", "/v1/approvals/{id}"), ("GET", "/v1/story/{id}"),
          ("POST", "/v1/approvals/{id}/review"), ("POST", "/v1/grants/{grant}/revoke")]


def test_no_route_of_the_control_socket_exists_elsewhere(gate, verifier):
    approval = asked(gate)
    grants = "grt-00000000"
    body = {"nonce": "0" * 32, "verdict": "approve", "approver": "alice", "uid": ALICE}
    for method, route in ROUTES:
        target = route.format(id=approval, grant=grants)
        reply = by_agent(desk.ask, gate.agents, method, target, body if method == "POST" else None)
        if target == f"/v1/approvals/{approval}":
            assert set(reply.json) == {"approval", "state", "call", "open_s", "grant", "reason"}, reply
        else:
            assert reply.status == 404, (target, reply)
        answer = by_agent(_raw, gate.port, method, target)
        # Read as a call of AWS, and refused as one that nobody knows.
        assert answer.startswith(b"HTTP/1.1 400 ") and b"<HostId>countersign</HostId>" in answer, answer
    assert state(gate, approval) == "pending" and verifier.seen() == []


def _raw(port: int, method: str, target: str, extra: str = "") -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        body = b'{"verdict":"approve"}' if method == "POST" else b""
        sock.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                     f"Content-Length: {len(body)}\r\nConnection: close\r\n{extra}\r\n".encode() + body)
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
        return answer


def test_the_agents_socket_answers_for_ones_own_calls_only(gate):
    approval = asked(gate)
    for method, target in [("GET", ""), ("GET", "/wait?seconds=1"), ("POST", "/withdraw")]:
        path = f"/v1/approvals/{approval}{target}"
        stranger = desk.as_uid(STRANGER, desk.ask, gate.agents, method, path, {} if method == "POST" else None)
        unknown = desk.as_uid(STRANGER, desk.ask, gate.agents, method, path.replace(approval, "apr-00000000"),
                              {} if method == "POST" else None)
        assert stranger.status == unknown.status == 404, "another's looks like none"
        assert stranger.body.replace(approval.encode(), b"apr-00000000") == unknown.body
    assert state(gate, approval) == "pending"
    assert by_agent(desk.ask, gate.agents, "GET", f"/v1/approvals/{approval}").json["state"] == "pending"
    assert by_agent(desk.ask, gate.agents, "POST", f"/v1/approvals/{approval}/withdraw", {}).json["state"] == "withdrawn"


@pytest.mark.parametrize("headers,status", [
    ({"Origin": "http://localhost"}, 403), ({"Origin": "null"}, 403), ({"Host": "evil.example"}, 403),
    ({"Host": "127.0.0.1:8990"}, 403), ({"Content-Type": "text/plain"}, 415),
    ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
])
def test_a_browser_has_no_business_at_either_socket(gate, headers, status):
    approval = asked(gate)
    body = {"nonce": by_approver(ALICE, desk.show, gate.control, approval)["nonce"], "verdict": "approve"}
    reply = by_approver(ALICE, desk.ask, gate.control, "POST", f"/v1/approvals/{approval}/review", body, headers)
    assert reply.status == status, reply
    if status == 403:
        assert by_agent(desk.ask, gate.agents, "GET", "/v1/listeners", None, headers).status == 403
    assert state(gate, approval) == "pending"


def test_headers_that_name_somebody_else_name_nobody(gate):
    reply = by_agent(desk.delete, gate.port, "o-1", None, "quick-orders", 20, {
        "X-Countersign-Agent": "admin", "X-Forwarded-For": "10.0.0.1", "X-Countersign-Session": "ses-1",
        "User-Agent": "agent/admin", "Forwarded": "for=root"})
    card = desk.show(gate.control, reply.headers["x-countersign-approval-id"])
    assert card["requester"]["agent"] == "support-7" and card["requester"]["uid"] == AGENT_UID
    assert card["requester"]["peer"].startswith("127.0.0.1:")


def test_ids_and_nonces_are_not_a_sequence(gate):
    ids = [asked(gate, f"o-{number}") for number in range(24)]
    assert len({approval[4:7] for approval in ids}) > 20
    nonces = {by_approver(ALICE, desk.show, gate.control, approval)["nonce"] for approval in ids[:4]}
    assert len(nonces) == 4 and all(len(nonce) == 32 for nonce in nonces)


# Files.


def started(folder, verifier, change, **options) -> subprocess.CompletedProcess:
    """`serve` after `change(gate)`; it must refuse, so it ends by itself."""
    gate = Gate(folder, verifier.url, same_uid=False, **options)
    gate.write_policies(**FILES)
    change(gate)
    return subprocess.run(gate.command(), env=gate.environment(), capture_output=True, text=True, timeout=20)


def _mode(path_of, mode):
    return lambda gate: os.chmod(path_of(gate), mode)


def _owner(path_of, uid):
    return lambda gate: os.chown(path_of(gate), uid, uid)


@pytest.mark.parametrize("change,named", [
    (_mode(lambda g: g.policies / "asks.yaml", 0o666), "asks.yaml"),
    (_mode(lambda g: g.policies / "approvers.yaml", 0o620), "approvers.yaml"),
    (_mode(lambda g: g.policies, 0o777), "policies"),
    (_owner(lambda g: g.policies / "asks.yaml", AGENT_UID), "asks.yaml"),
    (_owner(lambda g: g.policies, AGENT_UID), "policies"),
    (_mode(lambda g: g.state, 0o755), "state"),
    (_mode(lambda g: g.state, 0o710), "state"),
    (_owner(lambda g: g.state, AGENT_UID), "state"),
    (_mode(lambda g: g.folder, 0o777), "could put a socket there"),
    (_owner(lambda g: g.folder, AGENT_UID), "belongs to uid"),
    (lambda g: (g.state / "log").symlink_to(g.folder), "log"),
    (lambda g: (g.policies / "asks.yaml").unlink() or os.mkfifo(g.policies / "asks.yaml"), "asks.yaml"),
], ids=lambda value: value if isinstance(value, str) else None)
def test_files_that_others_could_change_are_refused(folder, verifier, change, named):
    done = started(folder, verifier, change)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert named in done.stderr and "ready" not in done.stdout, done.stderr


@pytest.mark.parametrize("mode,owner", [(0o644, 0), (0o640, 0), (0o602, 0), (0o600, AGENT_UID)])
def test_a_credentials_file_open_to_others_is_refused(folder, verifier, mode, owner):
    path = folder / "credentials"
    path.write_text("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = canary-of-the-file\n")
    os.chown(path, owner, owner)
    path.chmod(mode)
    done = started(folder, verifier, lambda gate: gate.extra.update(
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SHARED_CREDENTIALS_FILE": str(path)}))
    assert done.returncode == 2 and str(path) in done.stderr and "canary" not in done.stdout + done.stderr, done.stderr


def test_a_configuration_file_open_to_others_is_refused(folder, verifier):
    path = folder / "config.yaml"
    path.write_text("region: us-east-1\n")
    path.chmod(0o666)
    done = started(folder, verifier, lambda gate: gate.extra.update({"COUNTERSIGN_CONFIG": str(path)}))
    assert done.returncode == 2 and "config.yaml" in done.stderr


def test_two_gates_do_not_share_a_log(gate, verifier):
    second = Gate(gate.folder, verifier.url, same_uid=False)
    done = subprocess.run(second.command(), env=second.environment(), capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "log" in done.stderr, done.stderr
    assert by_approver(ALICE, desk.waiting, gate.control) == [], "the first one's sockets are still its own"


# Secrets.


def test_no_other_uid_sees_into_the_process(gate):
    pid = gate.process.child.pid
    for name in ("environ", "mem", "maps", "fd", "cwd", "exe", "auxv"):
        path = f"/proc/{pid}/{name}"
        with pytest.raises(PermissionError):
            by_agent(_look, path)
    assert b"canary" not in by_agent(_look, f"/proc/{pid}/cmdline")
    with open(f"/proc/{pid}/limits") as limits:
        core = next(line.split() for line in limits if line.startswith("Max core file size"))
    assert core[4:6] == ["0", "0"], core


def _look(path: str) -> bytes:
    if path.endswith(("cwd", "exe")):
        return os.readlink(path).encode()
    if path.endswith("fd"):
        return str(os.listdir(path)).encode()
    with open(path, "rb") as file:
        return file.read(4096)


def test_a_gate_of_an_ordinary_uid_hides_from_that_uid_too(folder, verifier):
    """Not dumpable: the agent that runs under the gate's own uid cannot read its keys either."""
    copy = folder / "countersign"
    shutil.copy(binary(), copy)
    gate = Gate(folder / "own", verifier.url)
    gate.write_policies(**FILES)
    for path in [folder, folder / "own", *(folder / "own").rglob("*")]:
        os.chown(path, ALICE, ALICE)
    command, environment = [str(copy), *gate.command()[1:]], gate.environment()
    output = folder / "out.txt"
    with open(output, "wb") as sink:
        child = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink, user=ALICE, group=ALICE,
                                 extra_groups=[])
    try:
        deadline = time.monotonic() + 20
        while b"ready" not in output.read_bytes() and time.monotonic() < deadline:
            assert child.poll() is None, output.read_text()
            time.sleep(0.02)
        for name in ("environ", "mem", "maps"):
            with pytest.raises(PermissionError):
                desk.as_uid(ALICE, _look, f"/proc/{child.pid}/{name}")
    finally:
        child.terminate()
        child.wait(10)
