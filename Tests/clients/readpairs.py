"""The pairs of a reading (reading.py): IAM actions and resources of some hundred and twenty operations, from the Service Authorization Reference.

A name that is not of its documented form has no pairs here: `Refused`. An operation that is not listed is `Unjudged`.
"""

import re
from urllib.parse import unquote_to_bytes

from reading import ACCOUNT, Refused, Unjudged, refuse_unless, text_of

ARN = re.compile(r"arn:aws[a-z-]*:([a-z0-9-]+):([A-Za-z0-9-]*):(\d{12}|aws|):([!-~]+)\Z")
UNKNOWN = "<unknown>"


class Naming:
    def __init__(self, reading):
        self.p, self.region, self.operation = reading.parameters, reading.region, reading.operation
        self.pairs = set()

    def add(self, action, *resources):
        for resource in resources:
            self.pairs.add((action, resource))

    def arn(self, service, tail, region=None, account=ACCOUNT):
        return f"arn:aws:{service}:{self.region if region is None else region}:{account}:{tail}"

    def named(self, value, service, kind, form, region=None):
        """A name of the regular expression `form`, or an ARN of `service` that begins with `kind`."""
        refuse_unless(isinstance(value, str), "a name that is no text")
        if value.startswith("arn:"):
            match = ARN.match(value)
            refuse_unless(match and match.group(1) == service and match.group(4).startswith(kind), "another kind of ARN")
            return value
        refuse_unless(re.match(form + r"\Z", value), f"no name: {value!r}")
        return self.arn(service, kind + value, region)


TABLE = r"[A-Za-z0-9_.-]{1,255}"


def dynamodb(n):
    def table(value):
        return n.named(value, "dynamodb", "table/", TABLE)

    def of(structure):
        refuse_unless(isinstance(structure, dict), "no structure")
        return table(structure.get("TableName"))

    if n.operation in ("GetItem", "PutItem", "DeleteItem", "UpdateItem", "DeleteTable", "DescribeTable", "UpdateTable"):
        n.add("dynamodb:" + n.operation, of(n.p))
    elif n.operation in ("Query", "Scan"):
        index = n.p.get("IndexName")
        refuse_unless(index is None or re.match(TABLE + r"\Z", index), "no index")
        n.add("dynamodb:" + n.operation, of(n.p) + (f"/index/{index}" if index is not None else ""))
    elif n.operation in ("BatchGetItem", "BatchWriteItem"):
        requests = n.p.get("RequestItems") or {}
        refuse_unless(requests, "no tables")
        n.add("dynamodb:" + n.operation, *map(table, requests))
    elif n.operation == "TransactWriteItems":
        for item in n.p.get("TransactItems") or []:
            refuse_unless(item and len(item) == 1, "not one write")
            for verb, inner in item.items():
                action = "ConditionCheckItem" if verb == "ConditionCheck" else verb + "Item"
                n.add("dynamodb:" + action, of(inner))
    elif n.operation == "TransactGetItems":
        for item in n.p.get("TransactItems") or []:
            n.add("dynamodb:GetItem", of((item or {}).get("Get")))
    elif n.operation in ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"):
        several = n.p.get("Statements", n.p.get("TransactStatements"))
        for text in [n.p.get("Statement")] if several is None else [(one or {}).get("Statement") for one in several]:
            n.add(*statement(n, text))
    else:
        raise Unjudged(n.operation)


def statement(n, text):
    """One plain statement of PartiQL on a table between quotes; anything cleverer is not judged."""
    refuse_unless(isinstance(text, str), "no statement")
    match = re.match(
        r'\s*(?:(SELECT)\b[^"\';]*?\bFROM|(INSERT)\s+INTO|(UPDATE)|(DELETE)\s+FROM)\s*"([^"]+)"(?:\s*\.\s*"([^"]+)")?'
        r"((?:\s(?:[^\"';]|'[^']*'|\"[^\"]*\")*)?)\Z", text, re.I | re.A)
    if not match or re.search(r"--|/\*|`|\\", text):
        raise Unjudged("a statement")
    verb = next(group for group in match.groups()[:4] if group).capitalize()
    refuse_unless(re.match(TABLE + r"\Z", match.group(5)), "no table")
    table = n.arn("dynamodb", "table/" + match.group(5))
    return f"dynamodb:PartiQL{verb}", table + (f"/index/{match.group(6)}" if match.group(6) else "")


def s3(n):
    bucket = "arn:aws:s3:::" + n.p.get("Bucket", "")
    version = n.p.get("VersionId") is not None

    def key(value, of=bucket):
        refuse_unless(isinstance(value, str) and value, "no key")
        return f"{of}/{value}"

    plain = {
        "ListObjects": "ListBucket", "ListObjectsV2": "ListBucket", "HeadBucket": "ListBucket", "GetBucketAcl": "GetBucketAcl",
        "ListObjectVersions": "ListBucketVersions", "DeleteBucket": "DeleteBucket", "GetBucketPolicy": "GetBucketPolicy",
        "PutBucketPolicy": "PutBucketPolicy", "DeleteBucketPolicy": "DeleteBucketPolicy",
        "GetBucketTagging": "GetBucketTagging", "PutBucketTagging": "PutBucketTagging", "GetBucketVersioning": "GetBucketVersioning",
        "PutBucketVersioning": "PutBucketVersioning", "ListMultipartUploads": "ListBucketMultipartUploads"}
    objects = {
        "GetObject": "GetObject{}", "HeadObject": "GetObject{}", "DeleteObject": "DeleteObject{}", "GetObjectAcl": "GetObject{}Acl",
        "PutObjectAcl": "PutObject{}Acl", "GetObjectTagging": "GetObject{}Tagging", "PutObjectTagging": "PutObject{}Tagging",
        "DeleteObjectTagging": "DeleteObject{}Tagging"}
    if n.operation in plain:
        n.add("s3:" + plain[n.operation], bucket)
    elif n.operation in objects:
        n.add("s3:" + objects[n.operation].format("Version" if version else ""), key(n.p.get("Key")))
        if n.operation == "DeleteObject" and n.p.get("BypassGovernanceRetention"):
            n.add("s3:BypassGovernanceRetention", key(n.p["Key"]))
        if n.operation == "DeleteObject" and n.p.get("IfMatch") is not None:
            n.add("s3:GetObject", key(n.p["Key"]))
    elif n.operation == "DeleteObjects":
        for target in (n.p.get("Delete") or {}).get("Objects") or []:
            if target.get("ETag") is not None:
                raise Unjudged("a conditional delete")
            n.add("s3:DeleteObjectVersion" if target.get("VersionId") is not None else "s3:DeleteObject", key(target.get("Key")))
            if n.p.get("BypassGovernanceRetention"):
                n.add("s3:BypassGovernanceRetention", key(target.get("Key")))
    elif n.operation in ("PutObject", "CopyObject", "CreateMultipartUpload", "UploadPart", "AbortMultipartUpload"):
        written(n, key)
    else:
        raise Unjudged(n.operation)


def written(n, key):
    action = "s3:AbortMultipartUpload" if n.operation == "AbortMultipartUpload" else "s3:PutObject"
    target = key(n.p.get("Key"))
    n.add(action, target)
    if n.p.get("ACL") is not None or any(name.startswith("Grant") for name in n.p):
        n.add("s3:PutObjectAcl", target)
    if n.p.get("Tagging") is not None:
        if n.operation == "CopyObject":
            raise Unjudged("tags of a copy")
        n.add("s3:PutObjectTagging", target)
    if any(n.p.get(name) is not None for name in n.p if re.match("ObjectLock|SSEKMS|ServerSide|If|Website|TaggingDirective", name)):
        raise Unjudged("further conditions of a write")
    if n.operation == "CopyObject":
        source = n.p["CopySource"].removeprefix("/")
        name, mark, version = source.partition("?versionId=")
        refuse_unless("?" not in name and not re.search(r"%(?![0-9A-Fa-f]{2})", name), "no source")
        decoded = text_of(unquote_to_bytes(name), "the source")
        bucket, slash, of_key = decoded.partition("/")
        if bucket.startswith("arn:") or "+" in source:
            raise Unjudged("another form of source")
        refuse_unless(slash and of_key and re.match(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]{3,255}\Z", bucket), "no source")
        refuse_unless(not mark or version and "?" not in version and "&" not in version, "no version")
        n.add("s3:GetObjectVersion" if mark else "s3:GetObject", f"arn:aws:s3:::{bucket}/{of_key}")


def sqs(n):
    url = n.p.get("QueueUrl")
    if n.operation in ("CreateQueue", "GetQueueUrl"):
        raise Unjudged(n.operation)
    refuse_unless(isinstance(url, str), "no queue")
    match = re.match(r"(?:https?://[^/]+)?/(\d{12})/([A-Za-z0-9_-]{1,75}(?:\.fifo)?)\Z", url)
    refuse_unless(match, "no queue")
    actions = {"SendMessageBatch": "SendMessage", "DeleteMessageBatch": "DeleteMessage",
               "ChangeMessageVisibilityBatch": "ChangeMessageVisibility"}
    if n.operation not in ("SendMessage", "ReceiveMessage", "DeleteMessage", "DeleteQueue", "PurgeQueue", "GetQueueAttributes",
                           "SetQueueAttributes", *actions):
        raise Unjudged(n.operation)
    # A queue of another region is reached at the host of that region.
    host = re.search(r"//sqs\.([a-z0-9-]+)\.amazonaws\.com", url)
    if host and host.group(1) != n.region:
        raise Unjudged("a queue of another region")
    n.add("sqs:" + actions.get(n.operation, n.operation), n.arn("sqs", match.group(2), account=match.group(1)))


def sns(n):
    def topic(value):
        refuse_unless(isinstance(value, str), "no topic")
        match = ARN.match(value)
        refuse_unless(match and match.group(1) == "sns" and re.match(r"[A-Za-z0-9_-]{1,256}(\.fifo)?\Z", match.group(4)), "no topic")
        return value

    if n.operation in ("Publish", "PublishBatch"):
        if n.p.get("PhoneNumber") is not None or n.p.get("TargetArn") is not None:
            raise Unjudged("another target")
        n.add("sns:Publish", topic(n.p.get("TopicArn")))
    elif n.operation in ("Subscribe", "DeleteTopic", "GetTopicAttributes"):
        if (n.p.get("Attributes") or {}).get("SubscriptionRoleArn"):
            raise Unjudged("a role")
        n.add("sns:" + n.operation, topic(n.p.get("TopicArn")))
    elif n.operation == "CreateTopic":
        refuse_unless(re.match(r"[A-Za-z0-9_-]{1,256}(\.fifo)?\Z", n.p.get("Name") or ""), "no topic")
        own = n.arn("sns", n.p["Name"])
        n.add("sns:CreateTopic", own)
        if n.p.get("Tags"):
            n.add("sns:TagResource", own)
        if n.p.get("Attributes") or n.p.get("DataProtectionPolicy"):
            raise Unjudged("further members")
    else:
        raise Unjudged(n.operation)


def iam(n):
    kind = next((kind for kind in ("Role", "User", "Group") if n.operation.endswith(kind) or f"{kind}Policy" in n.operation), None)
    plain = r"(Get|Create|Delete)(Role|User|Group)\Z|(Put|Get|Delete|Attach|Detach)(Role|User|Group)Policy\Z"
    if not re.match(plain, n.operation):
        raise Unjudged(n.operation)
    name = n.p.get(kind + "Name")
    refuse_unless(isinstance(name, str) and re.match(r"[A-Za-z0-9_+=,.@-]{1,128}\Z", name), "no name")
    if n.operation.startswith("Create"):
        path = n.p.get("Path", "/")
        refuse_unless(isinstance(path, str) and re.match(r"/([!-~]*/)?\Z", path), "no path")
        if "*" in path or "?" in path or "//" in path or re.search(r"[^A-Za-z0-9/_.+=,@-]", path):
            raise Unjudged("a strange path")
        own = n.arn("iam", f"{kind.lower()}{path}{name}", region="")
        n.add("iam:" + n.operation, own)
        if n.p.get("Tags"):
            n.add(f"iam:Tag{kind}", own)
        return
    n.add("iam:" + n.operation, n.arn("iam", f"{kind.lower()}/{UNKNOWN}{name}", region=""))


def ec2(n):
    kinds = {"TerminateInstances": ("InstanceIds", "instance"), "StopInstances": ("InstanceIds", "instance"),
             "StartInstances": ("InstanceIds", "instance"), "RebootInstances": ("InstanceIds", "instance"),
             "DeleteVolume": ("VolumeId", "volume"), "DeleteVpc": ("VpcId", "vpc"), "DeleteSubnet": ("SubnetId", "subnet")}
    if n.operation not in kinds:
        raise Unjudged(n.operation)
    member, kind = kinds[n.operation]
    given = n.p.get(member)
    refuse_unless(given, "nothing named")
    for name in given if isinstance(given, list) else [given]:
        if not re.match(r"[a-z]+-[0-9a-z]+\Z", name or ""):
            raise Unjudged("a strange id")
        n.add("ec2:" + n.operation, n.arn("ec2", f"{kind}/{name}"))


def lambda_(n):
    actions = {"Invoke": "InvokeFunction", "GetFunction": "GetFunction", "DeleteFunction": "DeleteFunction",
               "GetFunctionConfiguration": "GetFunctionConfiguration", "GetPolicy": "GetPolicy"}
    if n.operation == "ListFunctions":
        n.add("lambda:ListFunctions", "*")
        return
    if n.operation not in actions:
        raise Unjudged(n.operation)
    name, qualifier = n.p["FunctionName"], n.p.get("Qualifier")
    if not re.match(r"[A-Za-z0-9_-]{1,64}\Z", name):
        raise Unjudged("another form of function name")
    if qualifier is not None and not re.match(r"[A-Za-z0-9_-]{1,128}\Z", qualifier):
        raise Unjudged("another form of qualifier")
    n.add("lambda:" + actions[n.operation], n.arn("lambda", f"function:{name}" + (f":{qualifier}" if qualifier else "")))


def kms(n):
    if n.operation not in ("Encrypt", "DescribeKey", "ScheduleKeyDeletion", "DisableKey", "EnableKey", "GenerateDataKey"):
        raise Unjudged(n.operation)
    key = n.p.get("KeyId")
    refuse_unless(isinstance(key, str) and key, "no key")
    if not re.match(r"(mrk-)?[0-9a-f-]{4,40}\Z", key):
        if re.match(r"arn:aws:kms:[a-z0-9-]+:\d{12}:key/(mrk-)?[0-9a-f-]{4,40}\Z", key):
            n.add("kms:" + n.operation, key)
            return
        raise Unjudged("another form of key")
    n.add("kms:" + n.operation, n.arn("kms", "key/" + key))


def secretsmanager(n):
    if n.operation not in ("GetSecretValue", "DeleteSecret", "DescribeSecret", "PutSecretValue", "RestoreSecret"):
        raise Unjudged(n.operation)
    name = n.p.get("SecretId")
    refuse_unless(isinstance(name, str) and name, "no secret")
    if not re.match(r"[A-Za-z0-9/_+=.@-]{1,512}\Z", name):
        raise Unjudged("another form of secret")
    n.add("secretsmanager:" + n.operation, n.arn("secretsmanager", f"secret:{name}-{UNKNOWN}"))


def ssm(n):
    if n.operation in ("GetParameter", "PutParameter", "DeleteParameter", "GetParameterHistory"):
        given = [n.p.get("Name")]
        if any(n.p.get(name) for name in ("Tags", "KeyId")):
            raise Unjudged("further members")
    elif n.operation in ("GetParameters", "DeleteParameters"):
        given = n.p.get("Names") or []
    else:
        raise Unjudged(n.operation)
    refuse_unless(given, "no parameter")
    for name in given:
        refuse_unless(isinstance(name, str), "no name")
        if not re.match(r"(/?[A-Za-z0-9_.-]+)+\Z", name) or name.lstrip("/").lower().startswith(("aws", "ssm")):
            raise Unjudged("another form of parameter")
        n.add("ssm:" + n.operation, n.arn("ssm", "parameter/" + name.removeprefix("/")))


def kinesis(n):
    if n.operation not in ("PutRecord", "PutRecords", "DeleteStream", "DescribeStream", "ListShards", "MergeShards"):
        raise Unjudged(n.operation)
    name, arn = n.p.get("StreamName"), n.p.get("StreamARN")
    if arn is not None and name is not None or n.p.get("StreamId") is not None:
        raise Unjudged("two names")
    if name is None and arn is None:
        raise Unjudged("no stream")
    # A name beyond what Kinesis takes is refused there; here it is the text that it is.
    n.add("kinesis:" + n.operation, n.named(arn or name, "kinesis", "stream/", r"[^\x00-\x1f\x7f]{1,128}"))


def cloudwatch(n):
    if n.operation in ("PutMetricData", "ListMetrics", "GetMetricData"):
        n.add("cloudwatch:" + n.operation, "*")
    elif n.operation in ("DeleteAlarms", "EnableAlarmActions", "DisableAlarmActions"):
        names = n.p.get("AlarmNames") or []
        if not names:
            raise Unjudged("no alarm")
        for name in names:
            if not isinstance(name, str) or not name or re.search(r"[\x00-\x1f]", name):
                raise Unjudged("a strange name")
            n.add("cloudwatch:" + n.operation, n.arn("cloudwatch", "alarm:" + name))
    elif n.operation == "SetAlarmState":
        if not n.p.get("AlarmName") or re.search(r"[\x00-\x1f]", n.p["AlarmName"]):
            raise Unjudged("a strange name")
        n.add("cloudwatch:SetAlarmState", n.arn("cloudwatch", "alarm:" + n.p["AlarmName"]))
    else:
        raise Unjudged(n.operation)


def sts(n):
    if n.operation == "GetCallerIdentity":
        n.add("sts:GetCallerIdentity", "*")
        return
    if n.operation != "AssumeRole":
        raise Unjudged(n.operation)
    role = n.p.get("RoleArn")
    refuse_unless(isinstance(role, str), "no role")
    match = ARN.match(role)
    refuse_unless(match and match.group(1, 2) == ("iam", "") and match.group(4).startswith("role/"), "no role")
    n.add("sts:AssumeRole", role)
    if n.p.get("Tags") or n.p.get("TransitiveTagKeys"):
        n.add("sts:TagSession", role)
    if n.p.get("SourceIdentity") is not None:
        n.add("sts:SetSourceIdentity", role)
    if n.p.get("ProvidedContexts"):
        n.add("sts:SetContext", role)


def events(n):
    # A name beyond what EventBridge takes is refused there; here it is the text that it is.
    name = r"[^\x00-\x1f\x7f]{1,64}"

    def bus(value):
        if value is not None and value.startswith("arn:"):
            raise Unjudged("the ARN of a bus")
        refuse_unless(value is None or re.match(r"[^\x00-\x1f\x7f]{1,256}\Z", value), "no bus")
        return value

    if n.operation == "PutEvents":
        entries = n.p.get("Entries") or []
        if not entries:
            raise Unjudged("no entries, which EventBridge refuses")
        for entry in entries:
            given = (entry or {}).get("EventBusName")
            n.add("events:PutEvents", n.arn("events", "event-bus/" + (bus(given) or "default")))
    elif n.operation in ("DeleteRule", "PutRule", "DisableRule", "EnableRule", "RemoveTargets"):
        if n.p.get("RoleArn") or n.p.get("Tags"):
            raise Unjudged("further members")
        rule, given = n.p.get("Rule", n.p.get("Name")), bus(n.p.get("EventBusName"))
        refuse_unless(isinstance(rule, str) and re.match(name + r"\Z", rule), "no rule")
        n.add("events:" + n.operation, n.arn("events", f"rule/{given}/{rule}" if given not in (None, "default") else f"rule/{rule}"))
    else:
        raise Unjudged(n.operation)


def logs(n):
    group, stream = n.p.get("logGroupName"), n.p.get("logStreamName")
    if n.operation not in ("CreateLogGroup", "DeleteLogGroup", "CreateLogStream", "DeleteLogStream", "PutLogEvents"):
        raise Unjudged(n.operation)
    if n.p.get("tags") or n.p.get("kmsKeyId"):
        raise Unjudged("further members")
    refuse_unless(isinstance(group, str), "no group")
    if not re.match(r"[A-Za-z0-9_./#-]{1,512}\Z", group):
        raise Unjudged("a strange name")
    tail = f"log-group:{group}"
    if "Stream" in n.operation or n.operation == "PutLogEvents":
        refuse_unless(isinstance(stream, str) and stream, "no stream")
        if not re.match(r"[A-Za-z0-9_./#$\[\]-]{1,512}\Z", stream):
            raise Unjudged("a strange name")
        tail += f":log-stream:{stream}"
    n.add("logs:" + n.operation, n.arn("logs", tail))


def apigateway(n):
    paths = {"DeleteRestApi": "restapis/{restApiId}", "GetRestApi": "restapis/{restApiId}", "GetRestApis": "restapis",
             "DeleteStage": "restapis/{restApiId}/stages/{stageName}", "GetStage": "restapis/{restApiId}/stages/{stageName}",
             "GetResources": "restapis/{restApiId}/resources", "DeleteResource": "restapis/{restApiId}/resources/{resourceId}"}
    if n.operation not in paths:
        raise Unjudged(n.operation)
    if any(not re.match(r"[A-Za-z0-9_-]+\Z", n.p[name]) for name in re.findall(r"\{(\w+)\}", paths[n.operation])):
        raise Unjudged("a strange name")
    verb = re.match("Get|Delete", n.operation).group(0).upper()
    n.add("apigateway:" + verb, n.arn("apigateway", "/" + paths[n.operation].format_map(n.p), account=""))


def route53(n):
    if n.operation not in ("ChangeResourceRecordSets", "DeleteHostedZone", "GetHostedZone", "ListResourceRecordSets"):
        raise Unjudged(n.operation)
    zone = n.p.get("HostedZoneId", n.p.get("Id"))
    if not re.match(r"Z[A-Z0-9]{1,31}\Z", zone):
        raise Unjudged("another form of zone")
    n.add("route53:" + n.operation, f"arn:aws:route53:::hostedzone/{zone}")


NAMINGS = {name.strip("_"): function for name, function in list(globals().items()) if name.strip("_") in (
    "dynamodb", "s3", "sqs", "sns", "iam", "ec2", "lambda", "kms", "secretsmanager", "ssm", "kinesis", "cloudwatch", "sts",
    "events", "logs", "apigateway", "route53")}


def pairs(reading):
    """What `reading` needs: a set of (IAM action, resource), `<unknown>` for a run that no request says."""
    naming = Naming(reading)
    NAMINGS[reading.service](naming)
    refuse_unless(naming.pairs, "nothing is named")
    return naming.pairs


def covers(ours, theirs):
    """Whether the resource `ours` of the gate is `theirs`, or leaves open what `theirs` says."""
    return re.fullmatch(".*".join(re.escape(run) for run in ours.split(UNKNOWN)), theirs, re.S) is not None


def open_of(ours, theirs):
    """Whether the gate leaves the resource open: it has every pair of `theirs`, and any other says `<unknown>`."""
    def is_in(action, resource):
        return any(action.lower() == a.lower() and covers(r, resource) for a, r in ours)

    return all(is_in(*pair) for pair in theirs) and any(UNKNOWN in r for _, r in ours) and all(
        UNKNOWN in r or (a, r) in theirs for a, r in ours)


def same(ours, theirs):
    """Whether both sets of pairs are one, each pair of the one being a pair of the other."""
    def within(left, right):
        return all(any(a.lower() == b.lower() and covers(x, y) for a, x in left) for b, y in right)

    return within(ours, theirs) and all(any(a.lower() == b.lower() and covers(x, y) for b, y in theirs) for a, x in ours)


__all__ = ["Refused", "Unjudged", "open_of", "pairs", "same"]
