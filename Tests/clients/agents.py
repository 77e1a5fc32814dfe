"""An agent's clients: the real AWS CLI and boto3, pointed at the gate, holding no keys."""

import os
import subprocess
from pathlib import Path

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from stand import clean_environment, tool

# The two ways in that need no issued keys: nothing at all, or the documented dummy key id.
WAYS = ("unsigned", "dummy")
DUMMY = {"aws_access_key_id": "unsigned", "aws_secret_access_key": "unsigned"}


class Agent:
    def __init__(self, url: str, folder: Path, way: str = "dummy", region: str = "us-east-1"):
        self.url, self.folder, self.way, self.region = url, folder, way, region

    def using(self, way: str, region: str | None = None) -> "Agent":
        return Agent(self.url, self.folder, way, region or self.region)

    def environment(self) -> dict[str, str]:
        named = clean_environment(self.folder) | {
            "AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": self.region,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        }
        if self.way == "dummy":
            named |= {"AWS_ACCESS_KEY_ID": "unsigned", "AWS_SECRET_ACCESS_KEY": "unsigned"}
        return named

    def aws(self, *arguments: str, check: bool = True, seconds: float = 120) -> subprocess.CompletedProcess:
        """One call of the AWS CLI."""
        done = subprocess.run(self.cli(*arguments), env=self.environment(), capture_output=True, text=True,
                              timeout=seconds, cwd=self.folder)
        if check:
            assert done.returncode == 0, f"aws {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def aws_started(self, *arguments: str) -> subprocess.Popen:
        """The same, not waited for."""
        return subprocess.Popen(self.cli(*arguments), env=self.environment(), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, cwd=self.folder)

    def cli(self, *arguments: str) -> list[str]:
        command = [tool("aws"), *arguments]
        if self.way == "unsigned":
            command.append("--no-sign-request")
        # The CLI's sqs does not obey AWS_ENDPOINT_URL (aws/aws-cli#8737).
        if arguments[0] == "sqs":
            command += ["--endpoint-url", self.url]
        return command

    def client(self, service: str, **settings):
        """A boto3 client; `settings` go into its Config."""
        session = boto3.session.Session()
        settings.setdefault("retries", {"mode": "standard", "max_attempts": 1})
        settings.setdefault("inject_host_prefix", False)
        if self.way == "unsigned":
            settings["signature_version"] = UNSIGNED
            keys = {}
        else:
            keys = DUMMY
        return session.client(service, region_name=self.region, endpoint_url=self.url, config=Config(**settings),
                              **keys)


# boto3 runs in this process: nobody's settings may reach it.
for name in [n for n in os.environ if n.startswith("AWS_")]:
    del os.environ[name]
os.environ |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
               "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
