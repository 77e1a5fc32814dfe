"""The gate as a process: its command line stands here and nowhere else."""

import json
import os
import subprocess
import time
from pathlib import Path

from sigv4check import Keys
from stand import ACCOUNT, REPOSITORY, Process, clean_environment, free_port, wait_port

# The gateway's own keys. They may be seen in signatures only; tests look for the secret in every output.
GATEWAY_KEYS = Keys("AKIAGATEWAYKEY000001", "canary/secret+of/the+gateway/Zk3v9Qw1Xy7Rt5")
AGENT = "support-7"


def binary() -> str:
    return os.environ.get("COUNTERSIGN") or str(REPOSITORY / ".build/debug/countersign")


class Gate:
    """One gate with state, policies and sockets in `folder`; may be started, killed and started again."""

    def __init__(self, folder: Path, upstream: str, keys: Keys = GATEWAY_KEYS, region: str = "us-east-1",
                 options: tuple[str, ...] = (), environment: dict[str, str] | None = None,
                 preload: dict[str, str] | None = None, same_uid: bool = True, agent: str = AGENT):
        self.folder, self.upstream, self.keys, self.region = folder, upstream, keys, region
        self.options, self.preload, self.same_uid, self.agent = options, preload or {}, same_uid, agent
        self.policies, self.state = folder / "policies", folder / "state"
        self.control, self.agents = folder / "control.sock", folder / "agent.sock"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: Process | None = None
        self.extra = environment or {}
        self.policies.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(mode=0o700, exist_ok=True)

    def write_policies(self, **files: str) -> None:
        """`orders="…"` becomes policies/orders.yaml."""
        for name, text in files.items():
            path = self.policies / f"{name}.yaml"
            path.write_text(text)
            path.chmod(0o600)
        self.policies.chmod(0o700)

    def command(self) -> list[str]:
        return [
            binary(), "serve", "--policies", str(self.policies), "--listen", f"127.0.0.1:{self.port}",
            "--state", str(self.state), "--upstream", self.upstream, "--account", ACCOUNT,
            "--region", self.region, "--agent", self.agent, "--control-socket", str(self.control),
            "--agent-socket", str(self.agents), *(["--allow-same-uid"] if self.same_uid else []), *self.options,
        ]

    def environment(self) -> dict[str, str]:
        named = {"AWS_ACCESS_KEY_ID": self.keys.access_key, "AWS_SECRET_ACCESS_KEY": self.keys.secret_key}
        if self.keys.session_token:
            named["AWS_SESSION_TOKEN"] = self.keys.session_token
        return clean_environment(self.folder) | {"XDG_RUNTIME_DIR": str(self.folder)} | named | self.extra

    def start(self) -> "Gate":
        self.process = Process(self.command(), self.environment() | self.preload, self.folder / "gate.txt")
        wait_port(self.port, self.process)
        deadline = time.monotonic() + 10
        while not self.control.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        if self.process:
            self.process.stop()
            self.process = None

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process = None

    # The approver's and the operator's side.

    def run(self, *arguments: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess:
        """One `countersign` command, without any keys in its environment."""
        environment = clean_environment(self.folder) | {"XDG_RUNTIME_DIR": str(self.folder)}
        done = subprocess.run([binary(), *arguments], env=environment, input=stdin, capture_output=True, text=True,
                              timeout=150)
        if check:
            assert done.returncode == 0, f"countersign {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def control_json(self, *arguments: str):
        done = self.run(*arguments, "--control-socket", str(self.control), "--json")
        return json.loads(done.stdout)

    def inbox(self) -> list[dict]:
        """The approvals that wait, oldest first."""
        return [card | {"id": card["approval"]} for card in self.control_json("inbox")["approvals"]]

    def wait_inbox(self, count: int = 1, seconds: float = 15) -> list[dict]:
        deadline = time.monotonic() + seconds
        waiting: list[dict] = []
        while time.monotonic() < deadline:
            waiting = self.inbox()
            if len(waiting) >= count:
                break
            time.sleep(0.1)
        assert len(waiting) == count, f"{len(waiting)} approvals wait, expected {count}: {waiting}"
        return waiting

    def approve(self, approval: str) -> subprocess.CompletedProcess:
        return self.run("approve", approval, "--control-socket", str(self.control), "--json", "--yes", "--reason",
                        "checked by the test")

    def deny(self, approval: str) -> subprocess.CompletedProcess:
        return self.run("deny", approval, "--control-socket", str(self.control), "--json", "--reason",
                        "refused by the test")

    def show(self, approval: str) -> dict:
        return self.control_json("show", approval)

    def verify_log(self) -> subprocess.CompletedProcess:
        return self.run("log", "verify", "--state", str(self.state), check=False)

    def log_files(self) -> list[Path]:
        return sorted(p for p in (self.state / "log").iterdir() if p.is_file())

    def entries(self) -> list[dict]:
        """Every whole entry of the log, in order; a torn last line is left out."""
        entries = []
        for path in self.log_files():
            for line in path.read_bytes().split(b"\n")[:-1]:
                if line.startswith(b"{"):
                    entries.append(json.loads(line))
        return entries
