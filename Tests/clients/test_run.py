"""`countersign run`: real clients as agents, with keys that open nothing but the gate; and the command around them."""

import contextlib
import json
import os
import pty
import re
import select
import shlex
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gate import AGENT, binary
from stand import approval_id, clean_environment, tool
from test_held import QUICK
from test_services import KEY, TABLE

AWS = tool("aws")
#: what a user's own shell may hold, and no agent's command may see
OWN = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary-of-the-user", "AWS_PROFILE": "admin",
    "AWS_SESSION_TOKEN": "canary-token-of-the-user", "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_WEB_IDENTITY_TOKEN_FILE": "/canary", "AWS_ROLE_ARN": "canary",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/canary", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary",
    "HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1", "AWS_DEFAULT_OUTPUT": "json",
}


def command(gate, *words: str, task: str = "JIRA-42", options: tuple[str, ...] = ()) -> list[str]:
    who = () if "--resume" in options else ("--agent", AGENT, "--task", task, "--reason", "the customer asked")
    return [binary(), "run", "--agent-socket", str(gate.agents), *who, *options, "--", *words]


def environment(gate, **more) -> dict[str, str]:
    return clean_environment(gate.folder) | {"TMPDIR": str(gate.folder)} | OWN | more


def run(gate, *words, check=True, seconds=120, **options) -> subprocess.CompletedProcess:
    done = subprocess.run(command(gate, *words, **options), env=environment(gate), capture_output=True, text=True,
                          timeout=seconds, cwd=gate.folder)
    if check:
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


# The command around.


def test_the_environment_is_whole_and_nothing_of_the_users_own_is_in_it(gate):
    code = "import json, os; print(json.dumps([dict(os.environ), open(os.environ['AWS_CONFIG_FILE']).read(), " \
           "open(os.environ['AWS_SHARED_CREDENTIALS_FILE']).read(), os.stat(os.path.dirname(os.environ[" \
           "'AWS_CONFIG_FILE'])).st_mode, os.stat(os.environ['AWS_CONFIG_FILE']).st_mode]))"
    seen, config, credentials, folder_mode, _ = json.loads(run(gate, *python(code)).stdout)
    assert "canary" not in json.dumps(seen) and "AKIA" not in json.dumps(seen)
    wanted = {"AWS_ENDPOINT_URL": gate.url, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
              "AWS_EC2_METADATA_DISABLED": "true", "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
              "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH": "true", "AWS_DEFAULT_OUTPUT": "json", "AWS_ALLOW_HTTP": "true",
              "S3_ENDPOINT_URL": gate.url}
    assert {name: seen.get(name) for name in wanted} == wanted
    assert seen["AWS_ACCESS_KEY_ID"].startswith("CSAK") and seen["COUNTERSIGN_SESSION"].startswith("ses-")
    assert "127.0.0.1" in seen["NO_PROXY"] and seen["no_proxy"] == seen["NO_PROXY"]
    names = {name for name in seen if name.startswith("AWS_")}
    own = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE",
           "AWS_SHARED_CREDENTIALS_FILE", "AWS_PAGER"}
    assert names == set(wanted) - {"S3_ENDPOINT_URL"} | own, names
    assert "addressing_style = path" in config and gate.url in config and credentials == ""
    assert seen["AWS_SECRET_ACCESS_KEY"] not in config
    assert stat.S_IMODE(folder_mode) == 0o700
    assert not Path(seen["AWS_CONFIG_FILE"]).parent.exists(), "the run's folder is gone with it"


@pytest.mark.parametrize("words,code", [
    (("true",), 0), (("sh", "-c", "exit 7"), 7), (("sh", "-c", "kill -TERM $$"), 143), (("sh", "-c", "kill -9 $$"), 137),
    (("no-such-program",), 127), (("/etc/passwd",), 126)])
def test_the_exit_code_is_the_commands(gate, words, code):
    done = run(gate, *words, check=False)
    assert done.returncode == code and done.stdout == ""
    assert ("cannot be run" in done.stderr) == (code in (126, 127))


@pytest.mark.parametrize("options,code", [
    (("--duration", "soon"), 2), (("--duration", "10s"), 2), (("--duration", "25h"), 2), (("--account", "1"), 2),
    (("--resume", "apr-00000000"), 1), (("--nonsense",), 2)])
def test_without_a_session_no_command_runs(gate, options, code):
    done = run(gate, "echo", "ran", options=options, check=False)
    assert done.returncode == code and done.stdout == "" and done.stderr.startswith(("countersign: ", "Error: "))


def test_without_a_gate_no_command_runs(gate):
    gate.stop()
    done = run(gate, "echo", "ran", check=False)
    assert done.returncode == 2 and done.stdout == "" and "is `countersign serve` running?" in done.stderr
    gate.start()


def test_keys_stand_in_no_command_line_and_in_no_log(gate):
    code = """
import os
secrets = [os.environ[name].encode() for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")]
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        line = open(f"/proc/{pid}/cmdline", "rb").read()
    except OSError:
        continue
    assert not any(secret in line for secret in secrets), pid
print(*(secret.decode() for secret in secrets))
"""
    secrets = run(gate, *python(code)).stdout.split()
    written = b"".join(path.read_bytes() for path in [*gate.log_files(), gate.folder / "gate.txt"])
    assert len(secrets) == 2 and not any(secret.encode() in written for secret in secrets)


CATCHES = """
import signal, sys, time
seen = []
def take(number, frame):
    seen.append(number)
for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGWINCH"):
    signal.signal(getattr(signal, name), take)
print("ready", flush=True)
end = time.monotonic() + 20
while not seen and time.monotonic() < end:
    time.sleep(0.01)
time.sleep(0.3)
print(*seen, flush=True)
sys.exit(42)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"])
def test_a_signal_goes_through_once(gate, name):
    child = subprocess.Popen(command(gate, *python(CATCHES)), env=environment(gate), stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    child.send_signal(getattr(signal, name))
    assert child.stdout.readline().split() == [str(int(getattr(signal, name)))]
    assert child.wait(20) == 42


class Terminal:
    """A command at a terminal of its own, in the foreground, as under a shell with job control."""

    def __init__(self, words, named):
        self.id, self.file = pty.fork()
        if self.id == 0:
            os.execve(words[0], words, named)
        self.text = ""

    def until(self, text: str) -> None:
        end = time.monotonic() + 20
        while text not in self.text and time.monotonic() < end:
            if select.select([self.file], [], [], 0.2)[0]:
                with contextlib.suppress(OSError):
                    self.text += os.read(self.file, 4096).decode()
        assert text in self.text, self.text

    def type(self, text: str) -> None:
        os.write(self.file, text.encode())

    def wait(self, options=0) -> int:
        return os.waitpid(self.id, options)[1]


def test_the_terminals_keys_reach_the_command_once(gate):
    terminal = Terminal(command(gate, *python(CATCHES)), environment(gate))
    terminal.until("ready")
    terminal.type("\x03")
    terminal.until(f"{int(signal.SIGINT)}\r\n")
    assert os.waitstatus_to_exitcode(terminal.wait()) == 42


def test_a_command_that_ignores_the_interrupt_goes_on(gate):
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); print('ready', flush=True); print('got', input())"
    terminal = Terminal(command(gate, *python(code)), environment(gate))
    terminal.until("ready")
    terminal.type("\x03")
    time.sleep(0.2)
    terminal.type("a line\n")
    terminal.until("got a line")
    assert os.waitstatus_to_exitcode(terminal.wait()) == 0


def test_a_command_that_is_stopped_stops_the_run_and_both_go_on(gate):
    """Under bash with job control: it sees the job stopped, and `fg` brings the command back."""
    words = command(gate, *python("print('ready', flush=True); print('got', input())"))
    shell = Terminal(["/bin/bash", "--norc", "--noprofile", "-i"], environment(gate, PS1="$ "))
    shell.type(" ".join(shlex.quote(word) for word in words) + "\n")
    shell.until("ready\r\n")
    shell.type("\x1a")
    shell.until("Stopped")
    shell.type("fg\n")
    time.sleep(0.3)
    shell.type("a line\n")
    shell.until("got a line")
    shell.type("exit 5\n")
    assert os.waitstatus_to_exitcode(shell.wait()) == 5


def test_a_process_without_a_shell_gets_its_environment_by_env(gate):
    done = gate.run("env", "--agent", AGENT, "--task", "T", "--agent-socket", str(gate.agents))
    assert f"export AWS_ENDPOINT_URL='{gate.url}'\n" in done.stdout and "export AWS_ACCESS_KEY_ID='CSAK" in done.stdout
    old = gate.run("env", "--unsigned", "--agent-socket", str(gate.agents))
    assert "export AWS_ACCESS_KEY_ID='unsigned'\n" in old.stdout
    assert gate.run("env", "--agent-socket", str(gate.agents), check=False).returncode == 2


# Calls of real clients.


@pytest.fixture
def orders(moto):
    direct = moto.client("dynamodb")
    for name in (TABLE, QUICK):
        direct.create_table(**name)
        direct.put_item(TableName=name["TableName"], Item=KEY)
    return direct


GET = ("dynamodb", "get-item", "--table-name", "journey-orders", "--key", json.dumps(KEY))
DELETE = ("dynamodb", "delete-item", "--table-name", "quick-orders", "--key", json.dumps(KEY))
READS = """
import sys, boto3
client = boto3.client("dynamodb")
for line in sys.stdin:
    try:
        client.get_item(TableName="journey-orders", Key={"id": {"S": "o-91"}})
        print("read", flush=True)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
"""


def session_of(gate) -> str:
    return gate.control_json("session", "list", "--all")["sessions"][-1]["session"]


def reader(gate, **options) -> subprocess.Popen:
    """boto3 in one long run: a line in, a read out."""
    return subprocess.Popen(command(gate, *python(READS), **options), env=environment(gate), stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)


def read(child) -> str:
    child.stdin.write("again\n")
    child.stdin.flush()
    return child.stdout.readline().rstrip()


def test_each_call_carries_agent_session_task_reason_and_strength(orders, verifier, gate):
    verifier.expect("get", times=2, operation="GetItem")
    run(gate, AWS, *GET)
    child = reader(gate)
    assert read(child) == "read"
    child.communicate()
    calls = [entry for entry in gate.entries() if entry["type"] == "request"]
    session = session_of(gate)
    for call in calls:
        assert (call["agent"], call["session"], call["strength"]) == (AGENT, session, "signed"), call
        assert call["task"] == {"text": "JIRA-42", "source": "session-token"}
        assert call["reason"] == {"text": "the customer asked", "source": "session-token"}
    assert len(calls) == 2


def test_a_failed_command_says_what_waits_and_the_repeat_meets_the_answer(orders, verifier, gate):
    verifier.expect("delete", times=1, operation="DeleteItem")
    first = run(gate, AWS, *DELETE, check=False)
    approval = approval_id(first.stderr)
    assert first.returncode != 0 and "ApprovalRequired" in first.stderr
    told = first.stderr.splitlines()[-1]
    assert re.match(rf"countersign: {approval} waits for oncall, 29 min more: dynamodb:DeleteItem on table/quick-orders\.",
                    told), told
    as_json = run(gate, AWS, *DELETE, check=False, options=("--json",))
    found = json.loads(as_json.stderr.splitlines()[-1])["approvals"]
    assert [(one["approval"], one["state"]) for one in found] == [(approval, "pending")]
    gate.approve(approval)
    again = run(gate, AWS, *DELETE)
    assert approval not in again.stderr and len({e["session"] for e in gate.entries() if e["type"] == "request"}) == 1
    denied = approval_id(run(gate, AWS, *DELETE, check=False).stderr)
    gate.deny(denied)
    last = run(gate, AWS, *DELETE, check=False)
    assert f'{denied} was denied' not in last.stderr, "it was over before this run began"
    assert "ApprovalDenied" in last.stderr
    assert run(gate, "false", check=False).stderr == ""


def test_another_task_is_another_session_and_does_not_meet_the_approval(orders, verifier, gate):
    first = approval_id(run(gate, AWS, *DELETE, check=False).stderr)
    gate.approve(first)
    assert approval_id(run(gate, AWS, *DELETE, task="JIRA-43", check=False).stderr) != first


def test_a_closed_session_is_refused_from_the_next_call_on(orders, verifier, gate):
    verifier.expect("get", times=1, operation="GetItem")
    child = reader(gate)
    assert read(child) == "read"
    gate.run("session", "close", session_of(gate), "--reason", "enough", "--agent-socket", str(gate.agents))
    refused = read(child)
    assert "SessionClosed" in refused and "enough" in refused, refused
    child.communicate()


def test_a_held_call_is_refused_when_its_session_is_closed(orders, verifier, gate):
    child = subprocess.Popen(command(gate, AWS, *DELETE[:3], "journey-orders", *DELETE[4:]), env=environment(gate),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    approval = gate.wait_inbox()[0]["id"]
    gate.run("session", "close", session_of(gate), "--agent-socket", str(gate.agents))
    _, errors = child.communicate(timeout=30)
    assert child.returncode != 0 and "SessionClosed" in errors, errors
    assert gate.show(approval)["card"]["state"] == "withdrawn"


def test_a_resumed_session_goes_on_with_its_approval(orders, verifier, gate):
    verifier.expect("delete", times=1, operation="DeleteItem")
    approval = approval_id(run(gate, AWS, *DELETE, check=False).stderr)
    gate.approve(approval)
    session = session_of(gate)
    gate.run("session", "close", session, "--agent-socket", str(gate.agents))
    run(gate, AWS, *DELETE, options=("--resume", approval))
    assert session_of(gate) == session
    assert [e["event"] for e in gate.entries() if e["type"] == "session" and e["session"] == session] == [
        "opened", "closed", "reopened"]


def test_a_run_lives_through_a_kill_of_the_gate(orders, verifier, gate):
    verifier.expect("get", times=2, operation="GetItem")
    child = reader(gate)
    assert read(child) == "read"
    gate.kill()
    gate.start()
    assert read(child) == "read"
    child.communicate()
    assert len({entry["session"] for entry in gate.entries() if entry["type"] == "request"}) == 1


@pytest.mark.parametrize("way", ["fetched", "process"])
def test_clients_renew_their_keys_themselves(orders, verifier, gate, tmp_path, way):
    verifier.expect("get", times=1, operation="GetItem")
    if way == "fetched":
        run(gate, AWS, *GET, options=("--fetch-keys",))
    else:
        named = clean_environment(gate.folder) | {"AWS_CONFIG_FILE": str(tmp_path / "config")}
        (tmp_path / "config").write_text(
            f"[profile agent]\nregion = us-east-1\nendpoint_url = {gate.url}\ncredential_process = {binary()} session "
            f"open --agent {AGENT} --task JIRA-42 --format process --agent-socket {gate.agents}\n")
        done = subprocess.run([AWS, *GET, "--profile", "agent"], env=named, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    call = next(entry for entry in gate.entries() if entry["type"] == "request")
    assert call["strength"] == "signed" and call["task"]["text"] == "JIRA-42"
