"""accounts.yaml: calls of a key for another account are judged there, signed with its credentials, and named."""

import time

import pytest

from stand import ACCOUNT
from test_credentials import Enforced, gate
from test_run import run

OTHER = "222233334444"
POLICY = f"""
Countersign: 1
Id: queues
Agents: ["support-7"]
Statement:
  - {{Sid: Make, Effect: Allow, Action: sqs:CreateQueue, Resource: "arn:aws:sqs:us-east-1:{OTHER}:*"}}
"""
ACCOUNTS = f"""
Countersign: 1
Role: "arn:aws:iam::{{account}}:role/gateway"
Accounts:
  - {{Id: {OTHER}, Name: orders-prod, Environment: prod}}
  - {{Id: 333344445555, Name: gone, Profile: nobody}}
"""


@pytest.fixture
def aws(moto):
    """moto without IAM: it knows one account here, and what is asked of it for another is in the log."""
    enforced = Enforced(moto)
    enforced.enforce(False)
    return enforced


def test_a_call_for_another_account(tmp_path, aws):
    environment = {"AWS_ACCESS_KEY_ID": aws.base["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": aws.base["SecretAccessKey"]}
    make = ("aws", "sqs", "create-queue", "--queue-name", "q", "--endpoint-url")
    with gate(tmp_path / "g", aws, environment) as running:
        running.write_policies(orders=POLICY, accounts=ACCOUNTS)
        running.stop()
        running.start()
        deadline = time.monotonic() + 15
        while not any(one["type"] == "own-call" for one in running.entries()) and time.monotonic() < deadline:
            time.sleep(0.1)
        done = run(running, *make, running.url, options=("--account", OTHER))
        assert "QueueUrl" in done.stdout
        # The entry of the very first call does not know yet which key will sign.
        run(running, *make, running.url, options=("--account", OTHER))
        entry = [one for one in running.entries() if one["type"] == "request"][-1]
        assert (entry["account"], entry["account_name"]) == (OTHER, "orders-prod (prod)")
        assert entry["access_key_id"].startswith("ASIA"), "the role's, not the user's"
        assert entry["pairs"][0]["resource"] == f"arn:aws:sqs:us-east-1:{OTHER}:q"
        own = [one for one in running.entries() if one["type"] == "own-call"]
        assert own[0]["parameters"]["RoleArn"] == f"arn:aws:iam::{OTHER}:role/gateway"
        assert own[0]["purpose"] == f"credentials of account {OTHER}"
        # The same call with keys for the gateway's own account is another call, and policy has none for it.
        done = run(running, *make, running.url, check=False)
        assert done.returncode and f"arn:aws:sqs:us-east-1:{ACCOUNT}:q" in done.stderr
        # An account that is not in the book gets no keys, and one without usable credentials no signature.
        done = run(running, "true", options=("--account", "999988887777"), check=False)
        assert done.returncode and "accounts.yaml does not name it" in done.stderr
        told = "the credentials of account 333344445555 are not renewed: there is no profile `nobody`"
        deadline = time.monotonic() + 25
        while told not in running.process.said() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert told in running.process.said()
