"""deploy/gateway-role.yaml: sound to cfn-lint, and moto's CloudFormation makes of it the role that was meant."""

import json
import subprocess

from stand import ACCOUNT, REPOSITORY, tool

TEMPLATE = REPOSITORY / "deploy/gateway-role.yaml"


def test_the_template_is_sound():
    done = subprocess.run([tool("cfn-lint"), str(TEMPLATE)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_the_role_is_the_one_that_was_meant(moto):
    principal = f"arn:aws:iam::{ACCOUNT}:role/gateway-host"
    iam = moto.client("iam")
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}))
    boundary = boundary["Policy"]["Arn"]
    parameters = {"TrustedPrincipal": principal, "ExternalId": "ours-4711", "PermissionsBoundary": boundary,
                  "PolicyArns": boundary}
    moto.client("cloudformation").create_stack(
        StackName="gate", TemplateBody=TEMPLATE.read_text(), Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()])
    role = iam.get_role(RoleName="countersign-gateway")["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    statements = role["AssumeRolePolicyDocument"]["Statement"]
    assert {one["Principal"]["AWS"] for one in statements} == {principal}
    assert all(one["Effect"] == "Allow" for one in statements)
    assume, rest = statements
    assert assume["Action"] == "sts:AssumeRole"
    assert assume["Condition"] == {"StringEquals": {"sts:ExternalId": "ours-4711"}}
    assert sorted(rest["Action"]) == ["sts:SetSourceIdentity", "sts:TagSession"]
