"""The policies we ship, under the calls that their agents really make: Terraform's S3 backend and a pipeline's jobs."""
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from agents import Agent
from gate import Gate, binary
from stand import ACCOUNT

ROOT = Path(__file__).resolve().parents[2]


def adapted(folder: Path) -> Path:
    """The shipped folder as its comments say to make it one's own: the account, the buckets."""
    shutil.copytree(ROOT / "policies", folder, dirs_exist_ok=True)
    for name in ("50-terraform.yaml", "60-pipeline.yaml", "cases/terraform.yaml", "cases/pipeline.yaml"):
        text = (folder / name).read_text()
        for placeholder, own in (("example-tfstate", "acme-tfstate"), ("example-lake", "acme-lake"), ("111122223333", ACCOUNT)):
            text = text.replace(placeholder, own)
        (folder / name).write_text(text)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    return folder


@pytest.fixture
def started(gate_folder, moto, tmp_path):
    """A gate under the adapted policies, for an agent by name, with that agent."""
    gates = []

    def start(name: str):
        gate = Gate(gate_folder, moto.url, agent=name)
        adapted(gate.policies)
        gates.append(gate.start())
        folder = tmp_path / "agent"
        folder.mkdir()
        return gate, Agent(gate.url, folder)

    yield start
    for gate in gates:
        gate.stop()


def refused(call, **parameters) -> str:
    """The code of an answer that must be a refusal."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"]


def test_the_adapted_folder_passes_its_own_cases(tmp_path):
    folder = adapted(tmp_path / "policies")
    run = subprocess.run([binary(), "policy", "test", folder, "--min-coverage", "100"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_plan_meets_nobody_and_an_apply_does(started, moto):
    """The calls of Terraform 1.11 with provider 5.100, as a gate recorded them: `init`, then `plan` of a bucket, a table, a role, a network,
    with `use_lockfile` and `dynamodb_table`, in their order."""
    moto.client("s3").create_bucket(Bucket="acme-tfstate")
    moto.client("s3").create_bucket(Bucket="app-data")
    moto.client("dynamodb").create_table(
        TableName="terraform-locks", KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST")
    gate, agent = started("terraform-prod")
    s3, dynamodb, state = agent.client("s3"), agent.client("dynamodb"), {"Bucket": "acme-tfstate", "Key": "prod/network.tfstate"}
    lock = {"Bucket": "acme-tfstate", "Key": "prod/network.tfstate.tflock"}
    item = {"LockID": {"S": "acme-tfstate/prod/network.tfstate"}}

    agent.client("sts").get_caller_identity()
    s3.list_objects_v2(Bucket="acme-tfstate", Prefix="env:/", MaxKeys=1000)
    s3.put_object(**state, Body=b"{}", ContentType="application/json")
    for serial in range(3):
        # Each run has a lock of its own: nothing that an exact approval could have covered.
        s3.put_object(**lock, Body=json.dumps({"ID": f"lock-{serial}"}).encode(), IfNoneMatch="*")
        dynamodb.put_item(TableName="terraform-locks", Item=item | {"Info": {"S": f"lock-{serial}"}}, ConditionExpression="attribute_not_exists(LockID)")
        s3.head_object(**state)
        s3.get_object(**state)
        dynamodb.get_item(TableName="terraform-locks", Key={"LockID": {"S": item["LockID"]["S"] + "-md5"}}, ConsistentRead=True)
        agent.client("ec2").describe_vpcs()
        agent.client("iam").list_roles()
        s3.get_bucket_versioning(Bucket="app-data")
        s3.get_bucket_acl(Bucket="app-data")
        s3.put_object(**state, Body=json.dumps({"serial": serial}).encode())
        dynamodb.put_item(TableName="terraform-locks", Item={"LockID": {"S": item["LockID"]["S"] + "-md5"}, "Digest": {"S": str(serial)}})
        s3.get_object(**lock)
        s3.delete_object(**lock)
        dynamodb.delete_item(TableName="terraform-locks", Key=item)
    assert gate.inbox() == []

    # What an apply changes is held; botocore hangs up before the gate does, and the card stays.
    sqs = agent.client("sqs", read_timeout=2)
    for call in (lambda: sqs.create_queue(QueueName="jobs"), lambda: agent.client("s3", read_timeout=2).delete_bucket(Bucket="app-data")):
        with pytest.raises(Exception):
            call()
    cards = gate.wait_inbox(2)
    assert sorted(s for card in cards for s in card["statements"]) == ["baseline/WritesAsk", "terraform/DataLossAsks"], cards
    # The state's history is nobody's, and not for approval.
    assert refused(s3.put_bucket_versioning, Bucket="acme-tfstate", VersioningConfiguration={"Status": "Suspended"}) == "AccessDenied"
    assert moto.client("sqs").list_queues().get("QueueUrls", []) == []


def test_state_is_not_for_other_agents(started, moto):
    moto.client("s3").create_bucket(Bucket="acme-tfstate")
    moto.client("s3").put_object(Bucket="acme-tfstate", Key="prod/network.tfstate", Body=b"password")
    gate, agent = started("support-7")
    assert refused(agent.client("s3").get_object, Bucket="acme-tfstate", Key="prod/network.tfstate") == "AccessDenied"
    assert gate.inbox() == []


def test_a_pipeline_works_in_its_place_and_carries_nothing_out(started, moto):
    direct = moto.client("s3")
    for bucket in ("acme-lake", "elsewhere"):
        direct.create_bucket(Bucket=bucket)
    direct.put_object(Bucket="acme-lake", Key="curated/orders.csv", Body=b"a,b\n" * 1000)
    gate, agent = started("pipeline-orders")
    s3, own = agent.client("s3"), "work/pipeline-orders/"
    s3.list_objects_v2(Bucket="acme-lake", Prefix="curated/")
    body = s3.get_object(Bucket="acme-lake", Key="curated/orders.csv")["Body"].read()
    s3.put_object(Bucket="acme-lake", Key=own + "a.csv", Body=body)
    s3.copy_object(Bucket="acme-lake", Key=own + "b.csv", CopySource={"Bucket": "acme-lake", "Key": "curated/orders.csv"})
    upload = {"Bucket": "acme-lake", "Key": own + "c.csv", "UploadId": s3.create_multipart_upload(Bucket="acme-lake", Key=own + "c.csv")["UploadId"]}
    s3.upload_part(**upload, PartNumber=1, Body=body)
    s3.abort_multipart_upload(**upload)
    assert gate.inbox() == []

    source = {"Bucket": "acme-lake", "Key": "curated/orders.csv"}
    assert refused(s3.copy_object, Bucket="elsewhere", Key="x", CopySource=source) == "AccessDenied"
    assert refused(s3.put_object, Bucket="elsewhere", Key="x", Body=body) == "AccessDenied"
    assert refused(s3.put_bucket_policy, Bucket="acme-lake", Policy="{}") == "AccessDenied"
    with pytest.raises(Exception):
        agent.client("s3", read_timeout=2).delete_object(Bucket="acme-lake", Key=own + "a.csv")
    assert [card["statements"] for card in gate.wait_inbox(1)] == [["pipeline/DeletesAsk"]]
    assert direct.list_objects_v2(Bucket="elsewhere").get("KeyCount") == 0
    assert {o["Key"] for o in direct.list_objects_v2(Bucket="acme-lake", Prefix=own)["Contents"]} == {own + "a.csv", own + "b.csv"}


def test_no_placeholder_is_left_unexplained():
    """Each name that a reader has to replace stands in the file's first comment."""
    for name, placeholders in (("50-terraform.yaml", ("example-tfstate", "111122223333")), ("60-pipeline.yaml", ("example-lake",))):
        opening = (ROOT / "policies" / name).read_text().split("\nCountersign:")[0]
        used = set(re.findall(r"example-[a-z]+|\b\d{12}\b", (ROOT / "policies" / name).read_text()))
        assert used == set(placeholders) and all(f"`{p}`" in opening for p in placeholders)
