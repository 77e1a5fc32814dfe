"""Sessions at the agents' socket: who may open one, who joins it, how it ends, and what a crash makes of it."""

import http.client
import os
import shutil

import pytest

import chaos
import desk
from gate import GATEWAY_KEYS, Gate
from test_second_uid import ASKS
from verifier import Verifier

AGENT_UID, SECOND_UID, ALICE, STRANGER = 61001, 61002, 61003, 61004
APPROVERS_GID, RUNNERS_GID = 61099, 61098
AGENTS = f"""\
Countersign: 1
Agents:
  - {{Name: support-7, Owner: mia@example.com, Uids: [{AGENT_UID}, {SECOND_UID}]}}
  - {{Name: deploy, Groups: ["{RUNNERS_GID}"]}}
  - {{Name: plain}}
"""
APPROVERS = f"""\
Countersign: 1
People:
  - {{Name: alice, Uids: [{ALICE}]}}
Groups:
  oncall: [alice]
"""


@pytest.fixture(scope="module", autouse=True)
def root():
    assert os.geteuid() == 0, "these journeys change their uid: run them as root"


@pytest.fixture
def folder():
    folder = desk.open_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def gate(folder):
    with Verifier(GATEWAY_KEYS, responder=chaos.answer) as verifier:
        verifier.expect("delete", least=0, most=9, operation="DeleteItem")
        gate = Gate(folder, verifier.url, same_uid=False, options=("--control-group", str(APPROVERS_GID)))
        gate.write_policies(agents=AGENTS, approvers=APPROVERS, asks=ASKS)
        gate.start()
        yield gate
        gate.stop()
        assert gate.verify_log().returncode == 0
        for path in gate.log_files():
            for secret in SECRETS:
                assert secret.encode() not in path.read_bytes(), "a key is in the log"


#: every key and token that a test was given
SECRETS: set[str] = set()


def ask(gate, uid, method, path, body=None, groups=()):
    reply = desk.as_uid(uid, desk.ask, gate.agents, method, path, body, groups=groups)
    if reply.status == 200 and "secret_access_key" in reply.json:
        SECRETS.update(reply.json[name] for name in ("secret_access_key", "session_token", "credentials_token"))
    return reply


def opened(gate, uid=AGENT_UID, agent="support-7", task="JIRA-1", groups=(), **more) -> desk.Reply:
    return ask(gate, uid, "POST", "/v1/sessions", {"agent": agent, "task": task, **more}, groups)


def control(gate, method, path, body=None, uid=ALICE):
    return desk.as_uid(uid, desk.ask, gate.control, method, path, body, groups=(APPROVERS_GID,))


def listed(gate, uid=AGENT_UID) -> list[str]:
    return [session["session"] for session in ask(gate, uid, "GET", "/v1/sessions").json["sessions"]]


def events(gate, session) -> list[str]:
    return [entry["event"] for entry in gate.entries() if entry["type"] == "session" and entry["session"] == session]


# Who may.


@pytest.mark.parametrize("uid,agent,groups,status", [
    (AGENT_UID, "support-7", (), 200), (SECOND_UID, "support-7", (), 200), (STRANGER, "support-7", (), 403),
    (0, "support-7", (), 403), (STRANGER, "support-7", (RUNNERS_GID,), 403),
    (STRANGER, "deploy", (RUNNERS_GID,), 200), (STRANGER, "deploy", (APPROVERS_GID,), 403), (0, "deploy", (), 403),
    (0, "plain", (), 200), (AGENT_UID, "plain", (), 403), (0, "nobody", (), 403), (AGENT_UID, "nobody", (), 403)])
def test_a_session_is_opened_by_those_whom_agents_yaml_names(gate, uid, agent, groups, status):
    reply = opened(gate, uid, agent, groups=groups)
    assert reply.status == status, reply
    if status == 403:
        assert reply.code == "NotThisAgent" and "secret" not in reply.body.decode()
    if status == 403 and agent != "nobody":
        refused = [entry for entry in gate.entries() if entry.get("code") == "NotThisAgent"]
        assert len(refused) == 1 and f"uid {uid}" in refused[0]["message"]


def test_the_group_of_a_process_counts_as_its_supplementary_ones_do(gate):
    def by_group(gid):
        os.setgid(gid)
        os.setuid(STRANGER)
        return desk.ask(gate.agents, "POST", "/v1/sessions", {"agent": "deploy", "task": "t"}).status
    assert desk.as_uid(0, by_group, RUNNERS_GID) == 200
    assert desk.as_uid(0, by_group, APPROVERS_GID) == 403


def test_without_agents_yaml_the_gates_own_user_opens_and_nobody_else(folder):
    with Verifier(GATEWAY_KEYS, responder=chaos.answer) as verifier:
        gate = Gate(folder, verifier.url)
        gate.write_policies(approvers=APPROVERS, asks=ASKS)
        gate.start()
        try:
            assert opened(gate, os.geteuid(), gate.agent).status == 200
            assert opened(gate, AGENT_UID, gate.agent).code == "NotThisAgent"
            assert opened(gate, os.geteuid(), "another").code == "NotThisAgent"
        finally:
            gate.stop()


@pytest.mark.parametrize("body", [
    {}, {"agent": "support-7"}, {"task": "t"}, {"agent": "Support", "task": "t"}, {"agent": "support-7", "task": ""},
    {"agent": "support-7", "task": "t" * 501}, {"agent": "support-7", "task": 7}, [],
    {"agent": "support-7", "task": "t", "seconds": 59}, {"agent": "support-7", "task": "t", "seconds": 43_201},
    {"agent": "support-7", "task": "t", "seconds": "60"}, {"agent": "support-7", "task": "t", "uid": 0},
    {"agent": "support-7", "task": "t", "account": "12345678901a"}, {"resume": "apr-1"}])
def test_a_request_that_is_not_what_it_must_be_opens_nothing(gate, body):
    reply = ask(gate, AGENT_UID, "POST", "/v1/sessions", body)
    assert reply.status == 400, reply
    assert listed(gate) == []


# Joining and ending.


def test_the_same_agent_task_and_uid_join_and_nothing_else_does(gate):
    first = opened(gate, reason="one").json
    again = opened(gate, reason="two").json
    assert again["session"] == first["session"] and (first["joined"], again["joined"]) == (False, True)
    assert again["access_key_id"] != first["access_key_id"], "each run has keys of its own"
    others = {opened(gate, task="JIRA-2").json["session"], opened(gate, uid=SECOND_UID).json["session"],
              opened(gate, STRANGER, "deploy", groups=(RUNNERS_GID,)).json["session"]}
    assert len(others) == 3 and first["session"] not in others
    assert events(gate, first["session"]) == ["opened", "joined"]
    entry = next(e for e in gate.entries() if e["type"] == "session" and e["session"] == first["session"])
    assert (entry["uid"], entry["owner"], entry["task"]["text"], entry["reason"]["text"]) == (
        AGENT_UID, "mia@example.com", "JIRA-1", "one")


def test_another_users_session_looks_like_none(gate):
    session = opened(gate).json["session"]
    for method, path in [("GET", ""), ("POST", "/close")]:
        body = {} if method == "POST" else None
        other = ask(gate, STRANGER, method, f"/v1/sessions/{session}{path}", body)
        unknown = ask(gate, STRANGER, method, f"/v1/sessions/ses-00000000{path}", body)
        assert other.status == unknown.status == 404
        assert other.body.replace(session.encode(), b"ses-00000000") == unknown.body
    assert listed(gate) == [session] and listed(gate, STRANGER) == []
    assert ask(gate, AGENT_UID, "GET", f"/v1/sessions/{session}").json["approvals"] == []


def test_its_own_user_closes_it_and_a_later_run_opens_another(gate):
    session = opened(gate).json["session"]
    assert ask(gate, AGENT_UID, "POST", f"/v1/sessions/{session}/close", {"reason": "done"}).json["state"] == "closed"
    assert ask(gate, AGENT_UID, "POST", f"/v1/sessions/{session}/close", {}).code == "SessionClosed"
    assert listed(gate) == [] and opened(gate).json["session"] != session
    closed = gate.entries()[-2]
    assert (closed["event"], closed["why"], closed["reason"]) == ("closed", "agent", "done")


def test_an_approver_closes_any_session_and_nobody_else_by_that_socket(gate):
    session = opened(gate).json["session"]
    path = f"/v1/sessions/{session}/close"
    assert control(gate, "POST", path, {}, uid=STRANGER).code == "NotAnApprover"
    standing = next(s for s in control(gate, "GET", "/v1/sessions").json["sessions"] if s["uid"] is None)
    assert control(gate, "POST", path, {"reason": "no more"}).status == 200
    assert control(gate, "POST", path, {}).code == "SessionClosed"
    assert ask(gate, AGENT_UID, "POST", f"/v1/sessions/{standing['session']}/close", {}).status == 404
    assert control(gate, "POST", f"/v1/sessions/{standing['session']}/close", {}).status == 200
    after = next(s for s in control(gate, "GET", "/v1/sessions").json["sessions"] if s["uid"] is None)
    assert after["session"] != standing["session"], "the listener goes on in another"


def test_a_kill_loses_nothing_and_revives_nothing(gate):
    kept, gone = opened(gate).json["session"], opened(gate, task="JIRA-2").json["session"]
    assert control(gate, "POST", f"/v1/sessions/{gone}/close", {}).status == 200
    gate.kill()
    gate.start()
    assert listed(gate) == [kept] and opened(gate).json["session"] == kept
    assert opened(gate, task="JIRA-2").json["session"] != gone
    assert ask(gate, AGENT_UID, "POST", f"/v1/sessions/{gone}/close", {}).code == "SessionClosed"


def test_so_many_sessions_and_runs_and_no_more(gate):
    def flood(count):
        return [desk.ask(gate.agents, "POST", "/v1/sessions", {"agent": "support-7", "task": f"t-{n}"}).code or
                "opened" for n in range(count)]
    codes = desk.as_uid(AGENT_UID, flood, 130)
    # A minute may turn meanwhile.
    assert codes.count("Busy") >= 10 or codes.count("opened") == 130
    assert opened(gate, STRANGER, "deploy", groups=(RUNNERS_GID,)).status == 200, "each user has its own count"


# Unsigned callers.


def test_an_unsigned_call_comes_from_a_uid_of_its_agent(gate):
    reply = desk.as_uid(AGENT_UID, desk.delete, gate.port)
    assert reply.code == "ApprovalRequired"
    card = control(gate, "GET", f"/v1/approvals/{reply.headers['x-countersign-approval-id']}").json
    assert card["requester"]["strength"] == "uid" and card["requester"]["uid"] == AGENT_UID
    refused = desk.as_uid(STRANGER, desk.delete, gate.port)
    assert refused.status == 403 and f"uid {STRANGER}".encode() in refused.body
    assert gate.entries()[-1]["type"] == "rejected"


# Approvals and sessions.


def asked(gate) -> str:
    """An approval that a call of the listener's own session asked for."""
    return desk.as_uid(AGENT_UID, desk.delete, gate.port).headers["x-countersign-approval-id"]


def test_what_a_closed_session_asked_for_is_withdrawn(gate):
    approval = asked(gate)
    standing = next(s for s in control(gate, "GET", "/v1/sessions").json["sessions"] if s["uid"] is None)
    assert control(gate, "POST", f"/v1/sessions/{standing['session']}/close", {}).status == 200
    assert control(gate, "GET", f"/v1/approvals/{approval}").json["state"] == "withdrawn"
    assert asked(gate) != approval


def test_a_listeners_session_is_not_resumed(gate):
    assert ask(gate, AGENT_UID, "POST", "/v1/sessions", {"resume": asked(gate)}).status == 404
    assert ask(gate, AGENT_UID, "POST", "/v1/sessions", {"resume": "apr-00000000"}).status == 404


# Keys that are fetched.


def fetch(gate, token, host=None, method="GET", query="", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=10)
    try:
        fields = {"Host": host or f"127.0.0.1:{gate.port}"} | ({"Authorization": token} if token else {}) | headers
        connection.request(method, f"/_countersign/credentials{query}", headers=fields)
        answer = connection.getresponse()
        return desk.Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def test_clients_fetch_keys_while_the_session_is_open_also_after_a_kill(gate):
    session = opened(gate).json
    assert session["credentials_url"] == f"{gate.url}/_countersign/credentials"
    for _ in range(2):
        reply = fetch(gate, session["credentials_token"])
        assert reply.status == 200 and set(reply.json) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
        assert reply.headers["cache-control"] == "no-store"
        SECRETS.update([reply.json["SecretAccessKey"], reply.json["Token"]])
        gate.kill()
        gate.start()
    assert ask(gate, AGENT_UID, "POST", f"/v1/sessions/{session['session']}/close", {}).status == 200
    refused = fetch(gate, session["credentials_token"])
    assert refused.status == 403 and refused.json["code"] == "SessionClosed"


def test_only_the_very_token_from_a_local_client_gets_keys(gate):
    session = opened(gate).json
    other = opened(gate, task="JIRA-2").json
    token = session["credentials_token"]
    name, account, mac = token.split(".")
    wrong = [None, "", mac, token[:-1], token + "A", token.replace(name, other["session"]), f"{name}.111122223333.{mac}",
             session["session_token"], session["secret_access_key"], "Bearer " + token, "x" * 9_000]
    for value in wrong:
        assert fetch(gate, value).status == 403, value
    for headers in [{"Origin": "http://127.0.0.1"}, {"Sec-Fetch-Mode": "no-cors"}]:
        assert fetch(gate, token, **headers).status == 403
    for host in ["evil.example", f"localhost:{gate.port}", f"evil.example:{gate.port}", "127.0.0.1"]:
        assert fetch(gate, token, host=host).status == 403, host
    for options in [{"method": "POST"}, {"method": "PUT"}, {"query": "?a=b"}]:
        assert fetch(gate, token, **options).status in (400, 411), options
    assert fetch(gate, token).status == 200
    refused = [entry for entry in gate.entries() if entry["type"] == "rejected"]
    assert {entry["code"] for entry in refused} == {"BadToken", "Forbidden", "BadRequest"}


def test_botocore_fetches_them_as_on_ecs(gate, monkeypatch):
    from botocore.credentials import ContainerProvider
    session = opened(gate).json
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", session["credentials_url"])
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", session["credentials_token"])
    found = ContainerProvider().load()
    assert found.access_key.startswith("CSAK") and found.token
    file = gate.folder / "token"
    file.write_text(session["credentials_token"])
    monkeypatch.delenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(file))
    assert ContainerProvider().load().access_key.startswith("CSAK")


# The commands.


def test_session_open_list_show_and_close_as_commands(folder):
    with Verifier(GATEWAY_KEYS, responder=chaos.answer) as verifier:
        gate = Gate(folder, verifier.url)
        gate.write_policies(asks=ASKS, approvers=APPROVERS.replace(str(ALICE), str(os.getuid())))
        gate.start()
        try:
            socket = ("--agent-socket", str(gate.agents))
            process = gate.run("session", "open", "--agent", gate.agent, "--task", "T", "--format", "process", *socket)
            assert '"Version":1' in process.stdout and '"Expiration":"20' in process.stdout
            lines = gate.run("session", "open", "--agent", gate.agent, "--task", "T", *socket).stdout.splitlines()
            named = dict(line.split("=", 1) for line in lines)
            assert named["AWS_ENDPOINT_URL"] == gate.url and named["AWS_ACCESS_KEY_ID"].startswith("CSAK")
            session = named["COUNTERSIGN_SESSION"]
            assert session in gate.run("session", "list", *socket).stdout
            both = ("--control-socket", str(gate.control), *socket)
            story = gate.run("show", session, *both).stdout
            assert 'task "T"' in story and "2, the last" in story
            assert gate.run("session", "close", session, *both).stdout == f"{session} is closed.\n"
            again = gate.run("session", "close", session, *both, check=False)
            assert again.returncode == 1 and "was closed by its agent" in again.stderr
            assert gate.run("session", "close", "ses-00000000", *both, check=False).returncode == 1
            assert gate.run("session", "open", "--agent", "x", "--task", "T", *socket, check=False).returncode == 1
            assert gate.run("session", "open", "--task", "T", *socket, check=False).returncode == 2
            assert "No session is open" in gate.run("session", "list", *socket).stdout
        finally:
            gate.stop()


