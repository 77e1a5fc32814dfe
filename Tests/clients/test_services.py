"""Ten services through the gate, by boto3 and by the AWS CLI, with nothing but a dummy key or no signature at all."""

import io
import json
import zipfile

import pytest

from agents import WAYS
from stand import ACCOUNT

TABLE = {
    "TableName": "journey-orders", "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/journey-role"
KEY = {"id": {"S": "o-91"}}


def zipped(name: str = "index.py", text: str = "def handler(event, context):\n    return event\n") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


@pytest.fixture(params=WAYS)
def keyless(agent, request):
    """An agent in each of the two ways in that need no issued keys."""
    return agent.using(request.param)


def test_dynamodb_by_boto3(moto, verifier, keyless):
    moto.client("dynamodb").create_table(**TABLE)
    item = KEY | {"state": {"S": "new & \"odd\" ü\n"}}
    named = {"service": "dynamodb", "region": "us-east-1", "method": "POST", "path": "/"}
    verifier.expect("put", times=1, operation="PutItem", body={"TableName": "journey-orders", "Item": item}, **named)
    verifier.expect("get", times=1, operation="GetItem", body={"TableName": "journey-orders", "Key": KEY}, **named)
    verifier.expect("update", times=1, operation="UpdateItem", body={"Key": KEY}, **named)
    verifier.expect("query", times=1, operation="Query", body={"TableName": "journey-orders"}, **named)
    verifier.expect("batch", times=1, operation="BatchWriteItem", **named)
    verifier.expect("transact", times=1, operation="TransactWriteItems", **named)
    verifier.expect("list", times=1, operation="ListTables", **named)
    client = keyless.client("dynamodb")
    client.put_item(TableName="journey-orders", Item=item)
    assert client.get_item(TableName="journey-orders", Key=KEY)["Item"] == item
    client.update_item(TableName="journey-orders", Key=KEY, UpdateExpression="SET #s = :s",
                       ExpressionAttributeNames={"#s": "state"}, ExpressionAttributeValues={":s": {"S": "paid"}})
    found = client.query(TableName="journey-orders", KeyConditionExpression="id = :id",
                         ExpressionAttributeValues={":id": KEY["id"]})
    assert found["Items"] == [KEY | {"state": {"S": "paid"}}]
    client.batch_write_item(RequestItems={"journey-orders": [{"PutRequest": {"Item": {"id": {"S": "o-92"}}}}]})
    client.transact_write_items(TransactItems=[{"Put": {"TableName": "journey-orders", "Item": {"id": {"S": "o-93"}}}}])
    assert client.list_tables()["TableNames"] == ["journey-orders"]
    assert moto.client("dynamodb").scan(TableName="journey-orders")["Count"] == 3


def test_dynamodb_by_cli(moto, verifier, keyless):
    moto.client("dynamodb").create_table(**TABLE)
    verifier.expect("put", times=1, service="dynamodb", operation="PutItem")
    verifier.expect("get", times=1, service="dynamodb", operation="GetItem", body={"Key": KEY})
    item = json.dumps(KEY | {"n": {"N": "7"}})
    keyless.aws("dynamodb", "put-item", "--table-name", "journey-orders", "--item", item)
    done = keyless.aws("dynamodb", "get-item", "--table-name", "journey-orders", "--key", json.dumps(KEY))
    assert json.loads(done.stdout)["Item"]["n"] == {"N": "7"}


def test_a_dummy_key_carries_its_region(moto, verifier, agent):
    moto.client("dynamodb", "eu-west-1").create_table(**TABLE)
    verifier.regions.add("eu-west-1")
    verifier.expect("get", times=1, service="dynamodb", region="eu-west-1", operation="GetItem")
    verifier.expect("users", times=1, service="iam", region="us-east-1", body={"Action": "ListUsers"})
    agent = agent.using("dummy", "eu-west-1")
    agent.client("dynamodb").get_item(TableName="journey-orders", Key=KEY)
    agent.client("iam").list_users()


def test_sqs_by_boto3(verifier, keyless):
    for operation in ("CreateQueue", "GetQueueUrl", "SendMessage", "ReceiveMessage", "DeleteMessage"):
        verifier.expect(operation, times=1, service="sqs", operation=operation)
    client = keyless.client("sqs")
    client.create_queue(QueueName="journey-queue")
    url = client.get_queue_url(QueueName="journey-queue")["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="a & b = ü")
    message = client.receive_message(QueueUrl=url)["Messages"][0]
    assert message["Body"] == "a & b = ü"
    client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_sqs_by_cli(moto, verifier, keyless):
    url = moto.client("sqs").create_queue(QueueName="journey-queue")["QueueUrl"]
    verifier.expect("send", times=1, service="sqs", operation="SendMessage", body={"MessageBody": "hello"})
    keyless.aws("sqs", "send-message", "--queue-url", url, "--message-body", "hello")
    assert moto.client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == "hello"


def test_sns_by_boto3(verifier, keyless):
    verifier.expect("create", times=1, service="sns", body={"Action": "CreateTopic", "Name": "journey-topic"})
    verifier.expect("publish", times=1, service="sns", body={"Action": "Publish", "Message": "a+b & c=ü %41\n"})
    verifier.expect("list", times=1, service="sns", body={"Action": "ListTopics"})
    client = keyless.client("sns")
    topic = client.create_topic(Name="journey-topic")["TopicArn"]
    client.publish(TopicArn=topic, Message="a+b & c=ü %41\n")
    assert [t["TopicArn"] for t in client.list_topics()["Topics"]] == [topic]


def test_sns_by_cli(moto, verifier, keyless):
    topic = moto.client("sns").create_topic(Name="journey-topic")["TopicArn"]
    verifier.expect("publish", times=1, service="sns", body={"Action": "Publish", "TopicArn": topic})
    done = keyless.aws("sns", "publish", "--topic-arn", topic, "--message", "hello there")
    assert json.loads(done.stdout)["MessageId"]


def test_sts_always_answers(verifier, keyless):
    verifier.expect("who", times=2, service="sts", body={"Action": "GetCallerIdentity"})
    assert keyless.client("sts").get_caller_identity()["Account"] == ACCOUNT
    assert json.loads(keyless.aws("sts", "get-caller-identity").stdout)["Account"] == ACCOUNT


def test_iam_by_boto3(verifier, keyless):
    named = {"service": "iam", "region": "us-east-1"}
    verifier.expect("create", times=1, body={"Action": "CreateUser", "UserName": "journey-mia"}, **named)
    verifier.expect("get", times=1, body={"Action": "GetUser", "UserName": "journey-mia"}, **named)
    client = keyless.client("iam")
    client.create_user(UserName="journey-mia", Tags=[{"Key": "team", "Value": "a b"}])
    assert client.get_user(UserName="journey-mia")["User"]["UserName"] == "journey-mia"


def test_iam_by_cli(verifier, keyless):
    verifier.expect("list", times=1, service="iam", body={"Action": "ListUsers"})
    assert json.loads(keyless.aws("iam", "list-users").stdout)["Users"] == []


def lambda_role(moto) -> None:
    moto.client("iam").create_role(RoleName="journey-role", AssumeRolePolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {
            "Service": "lambda.amazonaws.com"}}]}))


def test_lambda_by_boto3(moto, verifier, keyless):
    lambda_role(moto)
    base = "/2015-03-31/functions"
    verifier.expect("create", times=1, service="lambda", method="POST", path=base, body={"Role": ROLE})
    verifier.expect("get", times=1, service="lambda", method="GET", path=base + "/journey-f")
    # boto3 escapes the colons of an ARN in a path; the signature escapes the escapes.
    arn = f"arn%3Aaws%3Alambda%3Aus-east-1%3A{ACCOUNT}%3Afunction%3Ajourney-f"
    verifier.expect("get by arn", times=1, service="lambda", method="GET",
                    path=lambda path: path in (f"{base}/{arn}", f"{base}/{arn.replace('%3A', ':')}"))
    verifier.expect("list", times=1, service="lambda", method="GET", path=lambda path: path.rstrip("/") == base)
    client = keyless.client("lambda")
    client.create_function(FunctionName="journey-f", Runtime="python3.12", Role=ROLE, Handler="index.handler",
                           Code={"ZipFile": zipped()})
    made = client.get_function(FunctionName="journey-f")["Configuration"]
    assert client.get_function(FunctionName=made["FunctionArn"])["Configuration"]["FunctionName"] == "journey-f"
    assert [f["FunctionName"] for f in client.list_functions()["Functions"]] == ["journey-f"]


def test_lambda_by_cli(moto, verifier, keyless):
    verifier.expect("list", times=1, service="lambda", method="GET")
    assert json.loads(keyless.aws("lambda", "list-functions").stdout)["Functions"] == []


def test_kms_by_boto3(moto, verifier, keyless):
    key = moto.client("kms").create_key()["KeyMetadata"]["KeyId"]
    for operation in ("DescribeKey", "Encrypt", "Decrypt"):
        verifier.expect(operation, times=1, service="kms", operation=operation, body={"KeyId": key})
    client = keyless.client("kms")
    assert client.describe_key(KeyId=key)["KeyMetadata"]["KeyId"] == key
    sealed = client.encrypt(KeyId=key, Plaintext=b"\0\xffsecret")["CiphertextBlob"]
    assert client.decrypt(KeyId=key, CiphertextBlob=sealed)["Plaintext"] == b"\0\xffsecret"


def test_kms_by_cli(verifier, keyless):
    verifier.expect("list", times=1, service="kms", operation="ListKeys")
    assert json.loads(keyless.aws("kms", "list-keys").stdout)["Keys"] == []


def test_secretsmanager_by_boto3(verifier, keyless):
    for operation in ("CreateSecret", "DescribeSecret", "GetSecretValue"):
        verifier.expect(operation, times=1, service="secretsmanager", operation=operation)
    client = keyless.client("secretsmanager")
    client.create_secret(Name="journey/db", SecretString="{\"a\": 1}")
    assert client.describe_secret(SecretId="journey/db")["Name"] == "journey/db"
    assert client.get_secret_value(SecretId="journey/db")["SecretString"] == "{\"a\": 1}"


def test_secretsmanager_by_cli(verifier, keyless):
    verifier.expect("list", times=1, service="secretsmanager", operation="ListSecrets")
    assert json.loads(keyless.aws("secretsmanager", "list-secrets").stdout)["SecretList"] == []


def test_ssm_by_boto3(verifier, keyless):
    for operation in ("PutParameter", "GetParameter", "GetParametersByPath"):
        verifier.expect(operation, times=1, service="ssm", operation=operation)
    client = keyless.client("ssm")
    client.put_parameter(Name="/journey/a", Value="1", Type="String")
    assert client.get_parameter(Name="/journey/a")["Parameter"]["Value"] == "1"
    assert len(client.get_parameters_by_path(Path="/journey")["Parameters"]) == 1


def test_ssm_by_cli(verifier, keyless):
    verifier.expect("put", times=1, service="ssm", operation="PutParameter", body={"Name": "/journey/b"})
    keyless.aws("ssm", "put-parameter", "--name", "/journey/b", "--value", "2", "--type", "String")
