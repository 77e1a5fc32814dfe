"""Calls as botocore sends them, and changes that readers are known to read in two ways (scripts/differential)."""

import base64
import copy
import functools
import gzip
import hashlib
import importlib.machinery
import importlib.util
import json
import re
import struct
import zlib
from pathlib import Path

import botocore.model
import botocore.serialize
import botocore.session

ROOT = Path(__file__).resolve().parents[2]
QUEUE = "https://sqs.us-east-1.amazonaws.com/111122223333/jobs"
TOPIC = "arn:aws:sns:us-east-1:111122223333:alerts"
ROLE = "arn:aws:iam::111122223333:role/team/deploy"
KEY = {"id": {"S": "1"}}
CALLS = {
    "dynamodb": [
        ("GetItem", {"TableName": "orders", "Key": KEY}), ("DeleteItem", {"TableName": "orders", "Key": KEY}),
        ("PutItem", {"TableName": "orders", "Item": {"id": {"S": "é"}, "n": {"N": "1.5"}, "b": {"B": b"x"}}}),
        ("Query", {"TableName": "orders", "IndexName": "by-day", "KeyConditionExpression": "d = :d", "Limit": 3}),
        ("Scan", {"TableName": "arn:aws:dynamodb:us-east-1:444455556666:table/orders"}), ("DeleteTable", {"TableName": "orders"}),
        ("BatchGetItem", {"RequestItems": {"orders": {"Keys": [KEY]}, "logs": {"Keys": [KEY]}}}),
        ("BatchWriteItem", {"RequestItems": {"orders": [{"DeleteRequest": {"Key": KEY}}], "logs": [{"PutRequest": {"Item": KEY}}]}}),
        ("TransactWriteItems", {"TransactItems": [
            {"Put": {"TableName": "orders", "Item": KEY}}, {"Delete": {"TableName": "logs", "Key": KEY}},
            {"ConditionCheck": {"TableName": "users", "Key": KEY, "ConditionExpression": "x"}}]}),
        ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": "orders", "Key": KEY}}, {"Get": {"TableName": "b", "Key": KEY}}]}),
        ("ExecuteStatement", {"Statement": "SELECT * FROM \"orders\".\"by-day\" WHERE d = 'FROM \"x\"'"}),
        ("BatchExecuteStatement", {"Statements": [
            {"Statement": "DELETE FROM \"orders\" WHERE id = '1'"}, {"Statement": "INSERT INTO \"logs\" VALUE {'id': '1'}"}]}),
        ("ExecuteTransaction", {"TransactStatements": [{"Statement": "UPDATE \"orders\" SET a = 'SET' WHERE id = '1'"}]}),
    ],
    "s3": [
        ("GetObject", {"Bucket": "logs", "Key": "a/b.txt"}), ("GetObject", {"Bucket": "logs", "Key": "a b/é%2F..", "VersionId": "v1"}),
        ("PutObject", {"Bucket": "logs", "Key": "k", "Body": b"abc", "ACL": "public-read", "Tagging": "a=b"}),
        ("PutObject", {"Bucket": "logs", "Key": "a//b/", "Body": b"abc", "GrantRead": "id=x"}),
        ("DeleteObject", {"Bucket": "logs", "Key": "k", "VersionId": "v", "BypassGovernanceRetention": True}),
        ("DeleteObjects", {"Bucket": "logs", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b&é", "VersionId": "v"}], "Quiet": True}}),
        ("CopyObject", {"Bucket": "logs", "Key": "copy", "CopySource": "src/a%20b?versionId=v1"}),
        ("CopyObject", {"Bucket": "logs", "Key": "copy", "CopySource": "src/a"}), ("ListObjectsV2", {"Bucket": "logs", "Prefix": "a/"}),
        ("DeleteBucket", {"Bucket": "logs"}), ("GetBucketPolicy", {"Bucket": "logs"}), ("HeadObject", {"Bucket": "logs", "Key": "k"}),
        ("PutObjectAcl", {"Bucket": "logs", "Key": "k", "ACL": "private"}),
        ("PutObjectTagging", {"Bucket": "logs", "Key": "k", "VersionId": "v", "Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}),
        ("GetObjectTagging", {"Bucket": "logs", "Key": "k"}), ("CreateMultipartUpload", {"Bucket": "logs", "Key": "k"}),
        ("UploadPart", {"Bucket": "logs", "Key": "k", "PartNumber": 1, "UploadId": "u", "Body": b"abc"}),
        ("AbortMultipartUpload", {"Bucket": "logs", "Key": "k", "UploadId": "u"}),
        ("PutBucketTagging", {"Bucket": "logs", "Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}),
    ],
    "sqs": [
        ("SendMessage", {"QueueUrl": QUEUE, "MessageBody": "x"}), ("DeleteQueue", {"QueueUrl": QUEUE}),
        ("ReceiveMessage", {"QueueUrl": QUEUE, "AttributeNames": ["All"]}), ("PurgeQueue", {"QueueUrl": QUEUE}),
        ("SendMessageBatch", {"QueueUrl": QUEUE, "Entries": [{"Id": "1", "MessageBody": "a"}, {"Id": "2", "MessageBody": "b"}]}),
    ],
    "sns": [
        ("Publish", {"TopicArn": TOPIC, "Message": "a b+c;&="}), ("CreateTopic", {"Name": "alerts", "Tags": [{"Key": "t", "Value": "v"}]}),
        ("Subscribe", {"TopicArn": TOPIC, "Protocol": "https", "Endpoint": "https://x"}), ("DeleteTopic", {"TopicArn": TOPIC}),
    ],
    "iam": [
        ("GetRole", {"RoleName": "app"}), ("CreateUser", {"UserName": "n", "Path": "/team/", "Tags": [{"Key": "t", "Value": "v"}]}),
        ("DeleteUser", {"UserName": "n"}), ("AttachRolePolicy", {"RoleName": "app", "PolicyArn": "arn:aws:iam::aws:policy/P"}),
        ("CreateRole", {"RoleName": "n", "AssumeRolePolicyDocument": "{}", "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}]}),
    ],
    "ec2": [
        ("TerminateInstances", {"InstanceIds": ["i-0a", "i-0b"]}), ("StopInstances", {"InstanceIds": ["i-0a"], "Force": True}),
        ("DeleteVolume", {"VolumeId": "vol-0a"}), ("DeleteVpc", {"VpcId": "vpc-0a", "DryRun": False}),
    ],
    "lambda": [
        ("Invoke", {"FunctionName": "fn", "Payload": b"{}", "Qualifier": "live"}), ("GetFunction", {"FunctionName": "fn"}),
        ("DeleteFunction", {"FunctionName": "fn", "Qualifier": "3"}), ("ListFunctions", {}), ("GetPolicy", {"FunctionName": "fn"}),
    ],
    "kms": [
        ("Encrypt", {"KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab", "Plaintext": b"x"}),
        ("ScheduleKeyDeletion", {"KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab", "PendingWindowInDays": 7}),
        ("DescribeKey", {"KeyId": "arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"}),
    ],
    "secretsmanager": [
        ("GetSecretValue", {"SecretId": "db/main"}), ("DeleteSecret", {"SecretId": "db/main", "ForceDeleteWithoutRecovery": True}),
        ("PutSecretValue", {"SecretId": "db/main", "SecretString": "x", "VersionStages": ["A"]}),
    ],
    "ssm": [
        ("GetParameter", {"Name": "/app/db", "WithDecryption": True}), ("GetParameters", {"Names": ["a", "/b/c"]}),
        ("PutParameter", {"Name": "/app/db", "Value": "v", "Type": "String", "Overwrite": True}), ("DeleteParameter", {"Name": "db"}),
    ],
    "kinesis": [
        ("PutRecord", {"StreamName": "s", "Data": b"x", "PartitionKey": "k"}), ("DeleteStream", {"StreamName": "s"}),
        ("PutRecords", {"StreamARN": "arn:aws:kinesis:us-east-1:111122223333:stream/s", "Records": [{"Data": b"x", "PartitionKey": "k"}]}),
    ],
    "cloudwatch": [
        ("PutMetricData", {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.5}, {"MetricName": "o", "Values": [1.0, 2.0]}]}),
        ("DeleteAlarms", {"AlarmNames": ["a", "b c"]}), ("SetAlarmState", {"AlarmName": "a", "StateValue": "OK", "StateReason": "r"}),
        ("DisableAlarmActions", {"AlarmNames": ["a"]}),
    ],
    "sts": [
        ("GetCallerIdentity", {}), ("AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "s"}),
        ("AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "s", "Tags": [{"Key": "a", "Value": "b"}], "SourceIdentity": "me"}),
    ],
    "events": [
        ("PutEvents", {"Entries": [{"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": "orders"}, {"Source": "s"}]}),
        ("DeleteRule", {"Name": "r", "EventBusName": "orders", "Force": True}), ("PutRule", {"Name": "r", "EventPattern": "{}"}),
        ("RemoveTargets", {"Rule": "r", "Ids": ["1"]}),
    ],
    "logs": [
        ("DeleteLogGroup", {"logGroupName": "/aws/lambda/f"}), ("CreateLogStream", {"logGroupName": "g", "logStreamName": "s"}),
        ("PutLogEvents", {"logGroupName": "g", "logStreamName": "a/[$LATEST]0f", "logEvents": [{"timestamp": 1, "message": "m"}]}),
    ],
    "apigateway": [
        ("DeleteRestApi", {"restApiId": "a1"}), ("DeleteStage", {"restApiId": "a1", "stageName": "prod"}), ("GetRestApis", {"limit": 3}),
        ("GetResources", {"restApiId": "a1", "embed": ["methods"]}), ("DeleteResource", {"restApiId": "a1", "resourceId": "r1"}),
    ],
    "route53": [
        ("ChangeResourceRecordSets", {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": [{"Action": "DELETE", "ResourceRecordSet": {
            "Name": "a.example.com", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}}]}}),
        ("DeleteHostedZone", {"Id": "Z1"}),
    ],
}


@functools.lru_cache(None)
def serializing():
    loader = importlib.machinery.SourceFileLoader("recognize_all", str(ROOT / "scripts" / "recognize-all"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def seeds():
    """Every call in every form: to this machine, to the service's own host, in further protocols, as a GET."""
    made = []
    for service, calls in CALLS.items():
        for form in ("local", "aws", "localhost") if service == "s3" else ("local", "aws"):
            made += by_client(service, calls, form)
        made += by_serializer(service, calls)
    return made


def by_client(service, calls, form):
    client = serializing().client_for(botocore.session.get_session(), service, form)
    sink = serializing().Sink()
    client.meta.events.register("before-send", sink)
    for operation, parameters in calls:
        sink.request = None
        try:
            client._make_api_call(operation, copy.deepcopy(parameters))
        except Exception:  # the reply is no reply
            pass
        request = sink.request
        yield serializing().line_of("", request.method, request.url, request.headers.items(), serializing().body_of(request))


def by_serializer(service, calls):
    loader = botocore.session.get_session().get_component("data_loader")
    model = botocore.model.ServiceModel(loader.load_service_model(service, "service-2"), service)
    spoken = set(model.metadata.get("protocols", [model.metadata["protocol"]])) | ({"query"} if service == "sqs" else set())
    for protocol in sorted(spoken):
        forms = (["other"] if protocol != model.resolved_protocol else []) + (["get"] if protocol in ("query", "ec2") else [])
        for form in forms if protocol in botocore.serialize.SERIALIZERS else []:
            serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
            for operation, parameters in calls:
                made = serializer.serialize_to_request(copy.deepcopy(parameters), model.operation_model(operation))
                yield serializing().serialized_line("", made, protocol, model, form)


# MARK: The changes

class Draft:
    """A line taken apart."""

    def __init__(self, line):
        self.method, self.fields = line["method"], [list(field) for field in line["headers"]]
        self.path, self.mark, self.query = line["target"].partition("?")
        self.body = base64.b64decode(line["body_b64"])

    def field(self, name):
        return next((value for own, value in self.fields if own.lower() == name), "")

    @property
    def kind(self):
        if b"<" in self.body[:1]:
            return "xml"
        if self.body[:1] == b"{":
            return "json"
        return "cbor" if self.field("smithy-protocol") else "form" if "form" in self.field("content-type") else ""

    def line(self):
        for field in self.fields:
            if field[0].lower() == "content-length":
                field[1] = str(len(self.body))
        if self.body and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in self.fields):
            self.fields.append(["Content-Length", str(len(self.body))])
        target = self.path + ("?" + self.query if self.mark or self.query else "")
        return {"id": "", "method": self.method, "target": target, "headers": self.fields,
                "body_b64": base64.b64encode(self.body).decode()}


def spliced(text, at, piece, width=0):
    return text[:at] + piece + text[at + width:]


NOISE = ["", " ", "\t", "\n", "\r\n", "+", "%20", "%00", "%2F", "%2f", "%2e%2e", "/", "//", "/./", "/../", "?", "&", "=", ";", "#", "%",
         "%C0%AF", "%C3%A9", "é", "e\u0301", "\u212a", "\u017f", "\ufeff", "\x00", "\\", "\"", "'", "*", ".", ":", ",", "[", "]", "2", "A"]


def any_bytes(d, rng, others):
    raw = bytearray(d.body or d.path.encode())
    for _ in range(rng.randrange(1, 3)):
        at, way = rng.randrange(len(raw) + 1), rng.randrange(3)
        if way == 0:
            raw[at:at] = rng.choice(NOISE).encode()
        elif way == 1 and at < len(raw):
            raw[at] = rng.choice([raw[at] ^ 0x20, raw[at] ^ 1, rng.randrange(256)])
        else:
            del raw[at:at + rng.randrange(1, 4)]
    if d.body:
        d.body = bytes(raw)
    else:
        d.path = raw.decode("latin-1")


FIELDS = [
    ("X-Amz-Target", "DynamoDB_20120810.DeleteTable"), ("x-amz-target", "AmazonSQS.DeleteQueue"), ("Smithy-Protocol", "rpc-v2-cbor"),
    ("Content-Type", "application/x-www-form-urlencoded"), ("Content-Type", "application/json"), ("Content-Type", "application/xml"),
    ("Content-Type", "application/x-amz-json-1.1"), ("Content-Type", "application/x-amz-json-1.0; charset=utf-16"),
    ("Content-Type", "application/x-amz-json-1.0;charset=\"UTF-8\""), ("Content-Type", "multipart/form-data; boundary=a"),
    ("X-HTTP-Method-Override", "DELETE"), ("X-Original-URL", "/other"), ("X-Forwarded-Host", "s3.amazonaws.com"),
    ("Content-Encoding", "identity"), ("Content-Encoding", "gzip"), ("Content-Encoding", "aws-chunked"), ("Transfer-Encoding", "chunked"),
    ("Connection", "x-amz-target"), ("Connection", "x-amz-copy-source, x-amz-acl"), ("x-amz-copy-source", "/other/key"),
    ("x-amz-copy-source", "other/k%2F..%2Fz?versionId=a"), ("x-amz-acl", "public-read-write"), ("x-amz-tagging", "a=b"),
    ("x-amz-grant-full-control", "id=x"), ("x-amz-bypass-governance-retention", "True"), ("Host", "s3.us-east-1.amazonaws.com"),
    ("Host", "other.s3.us-east-1.amazonaws.com"), ("Host", "other.localhost"), ("Host", "dynamodb.us-east-1.amazonaws.com"),
    ("Host", "127.0.0.1"), ("Content-Length", "0"), ("x-amz-decoded-content-length", "3"), ("Range", "bytes=0-1")]


def headers(d, rng, others):
    way, index = rng.randrange(6), rng.randrange(len(d.fields))
    name, value = d.fields[index]
    if way == 0:
        d.fields.append(list(rng.choice(FIELDS)))
    elif way == 1:
        own, value = rng.choice(FIELDS)
        d.fields = [field for field in d.fields if field[0].lower() != own.lower()] + [[own, value]]
    elif way == 2:
        d.fields.append([name.swapcase(), value])
    elif way == 3:
        d.fields[index] = [rng.choice([name.lower(), name.upper(), name.replace("-", "_"), name + " "]), value]
    elif way == 4:
        at = rng.randrange(len(value) + 1)
        d.fields[index][1] = spliced(value, at, rng.choice(NOISE), rng.randrange(2))
    else:
        del d.fields[index]
    if rng.random() < 0.3:
        rng.shuffle(d.fields)


def target(d, rng, others):
    """The other call's key, its target misspelled, or a second key."""
    other = Draft(rng.choice(others))
    own = d.field("x-amz-target")
    if own and rng.random() < 0.6:
        prefix, _, name = own.rpartition(".")
        new = rng.choice([name, own.lower(), prefix + "." + name.upper(), own + " ", f"{prefix}..{name}", f"x.{own}", f"{prefix}#{name}",
                          f"{prefix}.{name.replace('Get', 'Delete')}", other.field("x-amz-target") or own])
        d.fields = [[n, new if n.lower() == "x-amz-target" else v] for n, v in d.fields]
    elif other.field("x-amz-target"):
        d.fields.append(["X-Amz-Target", other.field("x-amz-target")])
    else:
        d.query, d.mark = "&".join(filter(None, [d.query, other.query or "Action=DeleteUser&Version=2010-05-08"])), "?"


def path(d, rng, others):
    steps = d.path.split("/")
    way, at = rng.randrange(8), rng.randrange(len(steps))
    if way == 0:
        d.path = rng.choice([d.path + "/", d.path + "//", "/" + d.path, d.path.removesuffix("/"), d.path + "?"])
    elif way == 1:
        steps.insert(at, rng.choice([".", "..", "", "%2e", "%2E%2e", "%2F", "a", "%00", "a%2F.."]))
        d.path = "/".join(steps)
    elif way == 2:
        cut = rng.randrange(len(d.path) + 1)
        d.path = spliced(d.path, cut, rng.choice(NOISE))
    elif way == 3:
        cut = rng.randrange(len(d.path))
        d.path = spliced(d.path, cut, f"%{ord(d.path[cut]) & 255:02{rng.choice('xX')}}", 1)
    elif way == 4:
        d.path = re.sub(r"%([0-9A-F]{2})", lambda m: rng.choice([f"%25{m[1]}", f"%{m[1].lower()}", m[0]]), d.path)
    elif way == 5:
        d.path = rng.choice(["http://other", "/_aws/s3", "/_aws/dynamodb", "/_aws/lambda/eu-west-1"]) + d.path
    elif way == 6:
        d.path = Draft(rng.choice(others)).path
    else:
        d.method = rng.choice(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "post", "OPTIONS", "CONNECT"])


QUERY = ["acl", "acl=", "tagging", "versionId=v2", "VersionId=v", "versionid=v", "uploads", "uploadId=u", "partNumber=1&uploadId=u", "delete",
         "policy", "list-type=2", "x-id=DeleteObject", "x-id=GetObject", "Qualifier=other", "qualifier=o", "prefix=b", "versionId", "versionId=",
         "Action=DeleteUser", "action=DeleteUser", "Version=2010-05-08", "versions", "torrent", "X-Amz-Target=a", "x-amz-acl=private",
         "response-content-type=a", "%76ersionId=v", "versionId=v;acl", "a=b", "max-keys=x", "limit=0x10"]


def query(d, rng, others):
    pieces = d.query.split("&") if d.query else []
    way = rng.randrange(6)
    if way <= 1 or not pieces:
        pieces.insert(rng.randrange(len(pieces) + 1), rng.choice(QUERY))
    elif way == 2:
        pieces.append(rng.choice(pieces))
    elif way == 3:
        rng.shuffle(pieces)
    else:
        form_piece(pieces, rng)
    d.query, d.mark = "&".join(pieces), "?"


def form_piece(pieces, rng):
    """One name or value of a form, respelled."""
    index = rng.randrange(len(pieces))
    name, equals, value = pieces[index].partition("=")
    way = rng.randrange(12)
    if way == 0:
        pieces[index] = "".join(f"%{ord(c):02X}" if rng.random() < 0.3 and ord(c) < 128 else c for c in name) + equals + value
    elif way == 1:
        pieces[index] = name + rng.choice(["", "=", "==", "%3D", "=%00", "=;x=y"]) + value
    elif way == 2:
        pieces[index] = re.sub(r"\.(\d+)", lambda m: "." + rng.choice([f"0{m[1]}", f"+{m[1]}", "0", "-1", "2", "9", f"{m[1]} ", "x", "1.1"]), name) + equals + value
    elif way == 3:
        pieces[index] = rng.choice([name.lower(), name.upper(), name.swapcase(), name[:1].lower() + name[1:], name + "[]", name + ".1", name + " "]) + equals + value
    elif way == 4:
        pieces[index] = name.replace(".member.", rng.choice([".", ".Member.", ".entry.", "..member.", ".member"])) + equals + value
    elif way == 5:
        pieces.insert(rng.randrange(len(pieces) + 1), name + equals + value + "2")
    elif way == 6:
        pieces.insert(rng.randrange(len(pieces) + 1), rng.choice([
            "Action=DeleteRole", "action=DeleteRole", "Action.1=x", "Action[]=DeleteRole", "Version=2010-05-08", "Operation=DeleteRole",
            "%41ction=DeleteRole", "RoleName=other", "UserName=other", "rolename=other", "TopicArn=arn:aws:sns:us-east-1:111122223333:other",
            "InstanceId.3=i-0c", "InstanceId.2=i-0d", "InstanceId=i-0e", "Tags.member.2.Key=z", "QueueUrl=/111122223333/other", "", "=x", "x"]))
    elif way == 7:
        cut = rng.randrange(len(value) + 1)
        pieces[index] = name + equals + spliced(value, cut, rng.choice(NOISE), rng.randrange(2))
    elif way == 8:
        pieces[index] = name + equals + value.replace("%20", "+").replace("+", rng.choice(["+", "%20", "%2B"]))
    elif way == 9:
        del pieces[index]
    elif way == 10:
        rng.shuffle(pieces)
    else:
        pieces[index] = name + equals


def form(d, rng, others):
    text = d.body.decode("latin-1")
    pieces = text.split("&")
    form_piece(pieces, rng)
    way = rng.random()
    if way < 0.05:
        d.query, d.mark = text, "?"
    elif way < 0.1:
        d.path = "/111122223333/other"
    d.body = rng.choice(["&"] * 12 + [";", "&&", "\n", "&amp;"]).join(pieces).encode("utf-8", "surrogateescape")


def json_text(d, rng, others):
    """The document, respelled where its parts meet."""
    text = d.body.decode("utf-8", "surrogateescape")
    strings = [m for m in re.finditer(r'"((?:[^"\\]|\\.)*)"', text)]
    if not strings:
        return
    chosen = rng.choice(strings)
    inner, way = chosen.group(1), rng.randrange(14)
    if way == 0:
        at = rng.randrange(max(1, len(inner)))
        new = spliced(inner, at, f"\\u{ord(inner[at]):04{rng.choice('xX')}}", 1) if inner and ord(inner[at]) < 0xD800 else inner
    elif way == 1:
        new = rng.choice([inner.lower(), inner.upper(), inner.swapcase(), inner + " ", " " + inner, inner[:1].swapcase() + inner[1:]])
    elif way == 2:
        new = spliced(inner, rng.randrange(len(inner) + 1), rng.choice(NOISE + ["\\u0000", "\\ud800", "\\ud83d\\ude00", "\\/", "\\n", "\\x41"]))
    elif way == 3:
        new = rng.choice(["", "other", "arn:aws:dynamodb:us-east-1:444455556666:table/other", "../other", "TableName", "*"])
    else:
        new = None
    if new is not None:
        d.body = (text[:chosen.start(1)] + new + text[chosen.end(1):]).encode("utf-8", "surrogateescape")
        return
    # A member twice, before or after, the same or escaped or in another case.
    names = [m for m in re.finditer(r'"((?:[^"\\]|\\.)*)"\s*:\s*', text)]
    name = rng.choice(names) if names else chosen
    own, value = name.group(1), rng.choice(['"other"', "null", "1", "true", "[]", "{}", '{"S": "1"}', '["other"]', "1e400", "-0", "01", "NaN"])
    if way in (4, 5, 6):
        alias = rng.choice([own, own, f"\\u{ord(own[0]):04x}{own[1:]}" if own else own, own.lower(), own.upper(), own + "\\u0000", "\ufeff" + own])
        d_text = text[:name.start()] + f'"{alias}": {value}, ' + text[name.start():]
        if way == 5:
            end = text.rindex("}")
            d_text = text[:end] + f', "{alias}": {value}' + text[end:]
    elif way == 7:
        d_text = text[:name.end()] + value + (", \"z\": " if rng.random() < 0.5 else "") + text[name.end():]
    elif way == 8:
        d_text = text[:chosen.start()] + value + text[chosen.end():]
    elif way == 9:
        d_text = rng.choice(["\ufeff", " ", "\n", "/**/", "//x\n", ")]}',\n", "\x0b", "\xa0"]) + text
    elif way == 10:
        d_text = text + rng.choice([" ", "\n", "{}", ",", "\x00", "//x", "null", "}"])
    elif way == 11:
        at = chosen.start()
        d_text = text[:at] + rng.choice([" ", "\t", "\r\n", ",", "/* */", "\x00"]) + text[at:]
    elif way == 12:
        try:
            value = json.loads(text)
            d_text = json.dumps(dict(reversed(list(value.items()))), indent=rng.choice([None, 1]), ensure_ascii=rng.random() < 0.5)
        except (ValueError, AttributeError):
            d_text = text
    else:
        d_text = rng.choice(["[" + text + "]", text.replace('"', "'"), text[:-1], text.replace(": ", ":"), "[" * 70 + text])
    d.body = d_text.encode("utf-8", "surrogateescape")
    if rng.random() < 0.03:
        d.body = d.body.decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-16-le", "utf-32", "utf-8-sig"]), "replace")


def xml_text(d, rng, others):
    text = d.body.decode("utf-8", "surrogateescape")
    tags = [m for m in re.finditer(r"<(/?)([A-Za-z]+)([^>]*)>", text)]
    chosen, way = rng.choice(tags), rng.randrange(12)
    leaves = [m for m in re.finditer(r">([^<]+)<", text)]
    leaf = rng.choice(leaves) if leaves else None
    if way == 0 and leaf:
        new = rng.choice([f"<![CDATA[{leaf[1]}]]>", f"<!-- x -->{leaf[1]}", f"{leaf[1][:1]}<!-- -->{leaf[1][1:]}", f"<?x y?>{leaf[1]}"])
        text = text[:leaf.start(1)] + new + text[leaf.end(1):]
    elif way == 1 and leaf:
        at = rng.randrange(len(leaf[1]))
        piece = rng.choice([f"&#{ord(leaf[1][at])};", f"&#x{ord(leaf[1][at]):x};", "&amp;", "&x;", "&#0;", "&#13;", "\r\n", "\r", " "] + NOISE[:6])
        text = text[:leaf.start(1)] + spliced(leaf[1], at, piece, rng.randrange(2)) + text[leaf.end(1):]
    elif way == 2:
        text = text[:chosen.start()] + rng.choice(["<!-- x -->", "<![CDATA[ ]]>", " ", "\n", "x", "<Key>z</Key>", "<z/>", "<?a b?>"]) + text[chosen.start():]
    elif way == 3:
        text = text.replace(chosen[2], rng.choice([chosen[2].lower(), chosen[2].upper(), "a:" + chosen[2], chosen[2] + "x"]), rng.choice([-1, 2]))
    elif way == 4:
        attribute = rng.choice([' xmlns="urn:x"', ' xmlns:a="urn:x"', ' a="b"', ' xml:space="preserve"', ' xmlns=""', ' xsi:type="x"',
                                ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'])
        text = text[:chosen.end() - 1] + attribute + text[chosen.end() - 1:]
    elif way == 5:
        text = rng.choice(['<?xml version="1.0"?>', '<?xml version="1.0" encoding="utf-16"?>', "<?xml version='1.1'?>", "\ufeff", " ", "<!-- -->",
                           '<?xml version="1.0" encoding="ISO-8859-1"?>', "<!DOCTYPE a [<!ENTITY x 'other'>]>", '<?xml version="1.0" encoding="UTF-7"?>']) + text
    elif way == 6:
        text += rng.choice([" ", "\n", "<!-- -->", "x", "<a/>", "\x00"])
    elif way == 7:
        elements = [m for m in re.finditer(r"<(Object|Tag|Change|Key|VersionId|Value|TTL)>.*?</\1>", text)]
        if elements:
            element = rng.choice(elements)
            text = text[:element.start()] + element[0] + text[element.start():]
    elif way == 8 and leaf:
        text = text[:leaf.start(1)] + rng.choice(["", "other", "../x", " a", "a ", "\n", "*", "é"]) + text[leaf.end(1):]
    elif way == 9:
        text = text[:chosen.start()] + text[chosen.end():]
    elif way == 10:
        d.body = text.encode(rng.choice(["utf-16", "latin-1", "utf-8-sig"]), "replace")
        return
    else:
        text = re.sub(r"</", "</ " if rng.random() < 0.3 else "</", text).replace("><", rng.choice([">\n<", "> <", ">\r<"]))
    d.body = text.encode("utf-8", "surrogateescape")


def cbor_items(raw, at, found, depth=0):
    """The end of the item at `at`; notes where each item begins and ends."""
    start, first = at, raw[at]
    major, low = first >> 5, first & 31
    at += 1
    count = low
    if 24 <= low < 28:
        count = int.from_bytes(raw[at:at + (1 << low - 24)], "big")
        at += 1 << low - 24
    if major in (2, 3):
        at += count
    elif major in (4, 5):
        for _ in range(count * (major - 3)):
            at = cbor_items(raw, at, found, depth + 1)
    elif major == 6:
        at = cbor_items(raw, at, found, depth + 1)
    found.append((start, at, major, count))
    return at


def cbor_head(major, count, width=None):
    if width is None:
        if count < 24:
            return bytes([major << 5 | count])
        width = next(width for width in range(4) if count < 1 << (8 << width))
    return bytes([major << 5 | 24 + width]) + count.to_bytes(1 << width, "big")


def cbor(d, rng, others):
    found = []
    try:
        cbor_items(d.body, 0, found)
    except IndexError:
        return any_bytes(d, rng, others)
    start, end, major, count = rng.choice(found)
    raw, item, way = d.body, d.body[start:end], rng.randrange(8)
    inner = item[len(cbor_head(major, count)):]
    if way == 0 and major in (4, 5):
        item = bytes([major << 5 | 31]) + inner + b"\xff"
    elif way == 0 and major in (2, 3):
        cut = rng.randrange(len(inner) + 1)
        item = bytes([major << 5 | 31]) + b"".join(cbor_head(major, len(p)) + p for p in (inner[:cut], inner[cut:])) + b"\xff"
    elif way == 1 and major < 6:
        item = cbor_head(major, count, rng.randrange(4) if count < 256 else 3) + inner
    elif way == 2 and major == 5 and count:
        key_end = cbor_items(raw, start + len(cbor_head(5, count)), [])
        item = cbor_head(5, count + 1) + raw[start + len(cbor_head(5, count)):key_end] + rng.choice([b"\x65other", b"\xf6", b"\x81\x65other", b"\x01"]) + inner
    elif way == 3:
        item = rng.choice([b"\xc1", b"\xc0", b"\xc2", b"\xd9\xd9\xf7", b"\xd8\x18"]) + item
    elif way == 4:
        item = rng.choice([b"\xf6", b"\xf7", b"\xf5", b"\x01", b"\x20", b"\x65other", b"\x45other", b"\x80", b"\xa0", b"\xf9\x7e\x00", b"\xfb" + struct.pack(">d", 2.0), b"\xf8\x20"])
    elif way == 5 and major == 3:
        text = inner.decode("utf-8", "replace")
        new = rng.choice([text.lower(), text.upper(), text + " ", text + "\0", text[:1].swapcase() + text[1:], "other"]).encode()
        item = cbor_head(3, len(new)) + new
    elif way == 6:
        d.body = raw + rng.choice([b"\xff", b"\xf6", b"\x00", raw])
        return
    else:
        item = raw[slice(*rng.choice(found)[:2])]
    d.body = raw[:start] + item + raw[end:]


def packed(d, rng, others):
    d.body = gzip.compress(d.body, mtime=0)
    if rng.random() < 0.2:
        d.body += rng.choice([b"\0", d.body])
    if rng.random() < 0.8:
        d.fields = [f for f in d.fields if f[0].lower() != "content-encoding"] + [["Content-Encoding", rng.choice(["gzip", "GZIP", "gzip, identity", "x-gzip"])]]


def framed(d, rng, others):
    """The body in one of the framings of aws-chunked, now and then with a fault."""
    kind = rng.choice([None, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
                       "STREAMING-UNSIGNED-PAYLOAD-TRAILER"])
    extent = ";chunk-signature=" + "0a" * 32 if kind and "AWS4" in kind else ""
    content, made, at = d.body, b"", 0
    while at < len(content):
        piece = content[at:at + rng.randrange(1, len(content) + 1)]
        made += b"%x" % len(piece) + extent.encode() + b"\r\n" + piece + b"\r\n"
        at += len(piece)
    made += b"0" + extent.encode() + b"\r\n"
    fields = [["x-amz-decoded-content-length", str(len(content) + (rng.random() < 0.1))]]
    fields += [["x-amz-content-sha256", kind]] if kind else []
    fields += [["Content-Encoding", rng.choice(["aws-chunked", "gzip,aws-chunked", "aws-chunked, gzip"])]] if rng.random() < 0.5 else []
    if kind is None and rng.random() < 0.5 or kind and kind.endswith("TRAILER"):
        sums = {"x-amz-checksum-crc32": zlib.crc32(content).to_bytes(4, "big"), "x-amz-checksum-sha1": hashlib.sha1(content).digest(),
                "x-amz-checksum-xxhash64": bytes(8)}
        names = rng.sample(sorted(sums), rng.choice([1, 1, 2]))
        fields += [["x-amz-trailer", rng.choice([",", ", "]).join(names)]]
        for name in names + ([rng.choice(sorted(sums))] if rng.random() < 0.1 else []):
            made += f"{name}:{base64.b64encode(sums[name]).decode()}".encode() + rng.choice([b"\r\n"] * 5 + [b"\n\r\n", b"\n"])
        made += b"x-amz-trailer-signature:" + b"0a" * 32 + b"\r\n" if extent else b""
    made += b"\r\n" + (rng.choice([b"\r\n", b"0\r\n\r\n", b"x"]) if rng.random() < 0.1 else b"")
    names = {field[0].lower() for field in fields}
    d.body, d.fields = made, [f for f in d.fields if f[0].lower() not in names] + fields


def body_of_another(d, rng, others):
    d.body = Draft(rng.choice(others)).body


BY_KIND = {"json": json_text, "xml": xml_text, "form": form, "cbor": cbor}


def chosen(lines, rng):
    """One of `lines`: half of the time each kind of body is as likely as another, since few calls are CBOR or XML."""
    if rng.random() < 0.5:
        kind = rng.choice(["json", "xml", "form", "cbor", ""])
        lines = [line for line in lines if kind_of(line["body_b64"], json.dumps(line["headers"])) == kind]
    return rng.choice(lines)


@functools.lru_cache(None)
def kind_of(body, headers):
    return Draft({"method": "", "target": "/", "headers": json.loads(headers), "body_b64": body}).kind


def mutated(line, others, rng):
    """`line` changed in one to three ways, and the names of these."""
    draft, ways = Draft(line), []
    for _ in range(rng.choice([1, 1, 1, 1, 2, 3])):
        own = BY_KIND.get(draft.kind)
        choices = [own] * 8 + [query, path] if own and draft.path == "/" else [own] * 4 if own else []
        choices += [any_bytes, headers, headers, target]
        choices += [packed, body_of_another] if rng.random() < 0.3 else []
        if draft.method == "PUT" and not own:
            choices += [framed] * 6
        if draft.path != "/" or not own:
            choices += [path] * 5 + [query] * 4
        way = rng.choice(choices)
        try:
            way(draft, rng, others)
        except (IndexError, ValueError):
            continue  # nothing of its kind is left to change
        ways.append(way.__name__)
    made = draft.line()
    # Lines are JSON: what is no text cannot be told.
    made["headers"] = [[n, v.encode("utf-8", "replace").decode()] for n, v in made["headers"]]
    made["target"] = made["target"].encode("utf-8", "replace").decode()
    return made, ways
