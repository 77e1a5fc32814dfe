"""Free ports, processes and environments: what a journey stands on."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ACCOUNT = "123456789012"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def tool(name: str) -> str:
    """A program of the Python environment that runs the tests."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name


def clean_environment(folder: Path) -> dict[str, str]:
    """An environment without anybody's AWS settings, with an empty home in `folder`."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    empty = home / "empty"
    empty.touch()
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith(("AWS_", "COUNTERSIGN")) and not k.lower().endswith("_proxy")}
    return kept | {
        "HOME": str(home), "AWS_CONFIG_FILE": str(empty), "AWS_SHARED_CREDENTIALS_FILE": str(empty),
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class Process:
    """A child process whose output goes to a file, ended by its own id."""

    def __init__(self, argv: list[str], environment: dict[str, str], output: Path):
        self.argv, self.output = argv, output
        with open(output, "ab") as sink:
            self.child = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def stop(self, seconds: float = 10) -> int:
        """Asks to end and waits; kills what does not. Gives the exit code."""
        if self.child.poll() is None:
            self.child.terminate()
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.argv[0]} did not stop within {seconds} s:\n{self.said()[-2000:]}") from None


def wait_port(port: int, process: Process, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.child.poll() is not None:
            raise AssertionError(f"{process.argv[:2]} ended with {process.child.returncode}:\n{process.said()[-4000:]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.01)
    raise AssertionError(f"{process.argv[:2]} does not listen on {port}:\n{process.said()[-4000:]}")


class Moto:
    """The AWS stand-in behind the verifier, one for the whole run; `reset` forgets everything."""

    def __init__(self, folder: Path):
        self.port = free_port()
        environment = clean_environment(folder) | {"MOTO_ACCOUNT_ID": ACCOUNT}
        self.process = Process([tool("moto_server"), "-H", "127.0.0.1", "-p", str(self.port)], environment,
                               folder / "moto.txt")
        self.address = ("127.0.0.1", self.port)
        self.url = f"http://127.0.0.1:{self.port}"
        wait_port(self.port, self.process)

    def reset(self) -> None:
        request = urllib.request.Request(self.url + "/moto-api/reset", method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(request, timeout=30).read()

    def client(self, service: str, region: str = "us-east-1"):
        """A client of one's own, straight to moto: for what a journey finds there before and after."""
        import boto3
        from botocore.config import Config
        return boto3.client(
            service, region_name=region, endpoint_url=self.url, aws_access_key_id="direct",
            aws_secret_access_key="direct", config=Config(s3={"addressing_style": "path"}))


def approval_id(text: str) -> str:
    """The approval id that `text` names."""
    match = re.search(r"\bapr-[0-9A-Za-z]{8}\b", text)
    assert match, f"no approval id in: {text}"
    return match.group(0)


def json_lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]
