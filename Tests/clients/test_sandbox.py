"""`countersign run --sandbox`: a real client works in it, and a hostile one finds nothing but the gate."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gate import AGENT, binary
from stand import REPOSITORY, clean_environment, tool
from test_run import DELETE, GET, orders  # noqa: F401  a fixture

AWS = tool("aws")


@pytest.fixture
def work(gate):
    """A work folder, and a home with the user's own keys."""
    folder = gate.folder / "work"
    folder.mkdir()
    aws = gate.folder / "home/.aws"
    aws.mkdir(parents=True)
    (aws / "credentials").write_text("[default]\naws_access_key_id = AKIACANARY\naws_secret_access_key = canary\n")
    return folder


def command(gate, *words, options=()):
    readable = {str(REPOSITORY), str(Path(sys.executable).resolve().parents[1]), str(Path(AWS).resolve().parents[1])}
    extra = [word for path in sorted(readable) if not path.startswith("/usr") for word in ("--read", path)]
    return [binary(), "run", "--agent-socket", str(gate.agents), "--control-socket", str(gate.control), "--agent", AGENT,
            "--task", "T", "--sandbox", *extra, *options, "--", *words]


def run(gate, work, *words, options=(), check=True):
    named = clean_environment(gate.folder) | {
        "HOME": str(gate.folder / "home"), "COUNTERSIGN_STATE": str(gate.state), "TMPDIR": "/tmp",
        "COUNTERSIGN_POLICIES": str(gate.policies), "PATH": os.environ["PATH"]}
    del named["AWS_CONFIG_FILE"], named["AWS_SHARED_CREDENTIALS_FILE"]
    done = subprocess.run(command(gate, *words, options=options), env=named, cwd=work, capture_output=True, text=True,
                          timeout=60)
    if check:
        assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def probe(gate, work, code, **options):
    return run(gate, work, sys.executable, "-c", code, **options)


def test_the_aws_cli_works_in_it_and_writes_where_it_works(orders, verifier, gate, work):  # noqa: F811
    verifier.expect("get", times=1, operation="GetItem")
    done = run(gate, work, "sh", "-c", f"{AWS} {' '.join(repr(w) for w in GET)} > out.json && cat out.json")
    assert json.loads((work / "out.json").read_text()) == json.loads(done.stdout)
    call = next(entry for entry in gate.entries() if entry["type"] == "request")
    assert call["strength"] == "signed" and call["agent"] == AGENT


def test_what_waits_is_told_and_waited_for(orders, verifier, gate, work):  # noqa: F811
    done = run(gate, work, AWS, *DELETE, check=False)
    approval = done.stderr.splitlines()[-1].split()[1]
    assert approval.startswith("apr-") and "waits for oncall" in done.stderr
    waited = run(gate, work, binary(), "wait", approval, "--seconds", "0", check=False)
    assert waited.returncode == 3 and "still waits" in waited.stdout, waited


def test_exit_codes_and_signals_go_through(gate, work):
    assert run(gate, work, "sh", "-c", "exit 7", check=False).returncode == 7
    assert run(gate, work, "no-such-program", check=False).returncode == 127
    child = subprocess.Popen(
        command(gate, sys.executable, "-u", "-c", "import signal, sys, time; "
                "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42)); print('ready'); time.sleep(20)"),
        env=clean_environment(gate.folder) | {"TMPDIR": "/tmp", "COUNTERSIGN_STATE": str(gate.state)}, cwd=work,
        stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    child.terminate()
    assert child.wait(20) == 42


LOOKS = """
import json, os, pathlib
found = {}
for name in PATHS:
    try:
        path = pathlib.Path(name)
        found[name] = sorted(os.listdir(path)) if path.is_dir() else path.read_bytes().decode(errors="replace")
    except OSError as error:
        found[name] = type(error).__name__
found["env"] = dict(os.environ)
found["pids"] = [pid for pid in os.listdir("/proc") if pid.isdigit()]
print(json.dumps(found))
"""


def test_keys_state_policies_and_sockets_are_not_there(gate, work):
    hidden = [gate.folder / "home/.aws", gate.state, gate.state / "log", gate.policies, gate.control, "/home",
              gate.folder / "home/.aws/credentials", "/run/docker.sock", "/etc/countersign", "/var/lib"]
    code = LOOKS.replace("PATHS", repr([str(path) for path in hidden]))
    for options in [(), ("--write", str(gate.folder))]:
        found = json.loads(probe(gate, work, code, options=options).stdout)
        for path in hidden:
            seen = found[str(path)]
            assert seen in ("FileNotFoundError", "PermissionError", [], "") or path == gate.state and "log" not in seen, (path, seen)
        assert "canary" not in json.dumps(found) and "AKIA" not in json.dumps(found)
        assert len(found["pids"]) <= 3, "no process of the host is seen"


def test_no_way_leads_out_but_the_gates(gate, work):
    code = f"""
import socket
for host, port in [("169.254.169.254", 80), ("10.0.0.1", 443), ("127.0.0.1", {gate.upstream.rsplit(":", 1)[1]}), ("8.8.8.8", 53)]:
    try:
        socket.create_connection((host, port), timeout=2)
        print("reached", host, port)
    except OSError:
        pass
try:
    s = socket.socket(socket.AF_UNIX)
    s.connect({str(gate.control)!r})
    print("reached the control socket")
except OSError:
    pass
socket.create_connection(("127.0.0.1", {gate.port}), timeout=2)
print("the gate")
"""
    for options in [(), ("--write", str(gate.folder))]:
        assert probe(gate, work, code, options=options).stdout == "the gate\n"


def test_the_system_is_not_written_to(gate, work):
    code = """
import os
for path in ("/usr/x", "/etc/x", "/opt/x", "/bin/x"):
    try:
        open(path, "w")
        print("wrote", path)
    except OSError:
        pass
for path in ("/tmp/x", os.environ["HOME"] + "/x"):
    open(path, "w").write("x")
"""
    assert probe(gate, work, code).stdout == ""
    assert not (gate.folder / "home/x").exists(), "its home is its own, and gone"


@pytest.mark.parametrize("place", ["/", "home", "state"])
def test_a_folder_that_holds_too_much_is_no_work_folder(gate, work, place):
    folder = {"/": Path("/"), "home": gate.folder / "home", "state": gate.state}[place]
    done = run(gate, folder, "echo", "ran", check=False)
    assert done.returncode == 2 and done.stdout == "" and "sandbox" in done.stderr, done


def test_without_bubblewrap_it_says_what_to_install(gate, work, tmp_path):
    (tmp_path / "bin").mkdir()
    done = subprocess.run(command(gate, "/bin/echo", "ran"), cwd=work, capture_output=True, text=True,
                          env=clean_environment(gate.folder) | {"PATH": str(tmp_path / "bin")})
    assert done.returncode == 2 and done.stdout == "" and "apt install bubblewrap" in done.stderr


def test_bubblewrap_is_there():
    assert shutil.which("bwrap"), "scripts/setup installs it"
