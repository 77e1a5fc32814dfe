"""What a journey says, before it runs, may arrive at the upstream, and how often."""

import json
import urllib.parse
from dataclasses import dataclass
from typing import Any, Callable

from rawhttp import Request

# The signing name that each X-Amz-Target prefix, API version and path calls for: the verifier's own reading.
TARGETS = {
    "DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs", "TrentService": "kms", "secretsmanager": "secretsmanager",
    "AmazonSSM": "ssm", "GraniteServiceVersion20100801": "monitoring", "Logs_20140328": "logs", "AWSEvents": "events",
    "Kinesis_20131202": "kinesis", "AWSStepFunctions": "states",
    "Timestream_20181101": "timestream",
}
VERSIONS = {
    "2010-03-31": "sns", "2011-06-15": "sts", "2010-05-08": "iam", "2012-11-05": "sqs", "2016-11-15": "ec2",
    "2014-10-31": "rds", "2010-05-15": "cloudformation",
}
LAMBDA_RESOURCES = {"functions", "event-source-mappings", "layers", "tags", "account-settings", "code-signing-configs"}


def form_of(request: Request) -> dict[str, str] | None:
    """The fields of a Query-protocol body; None when it is none."""
    kind = (request.header("content-type") or "").split(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        return None
    pairs = urllib.parse.parse_qsl(request.body.decode("utf-8"), keep_blank_values=True, strict_parsing=True)
    return dict(pairs)


def service_of(request: Request) -> str:
    """The signing name that the dispatch key of `request` calls for."""
    target = request.header("x-amz-target")
    if target is not None:
        return TARGETS.get(target.rpartition(".")[0], "unknown target " + target)
    form = form_of(request) if request.method == "POST" and request.path == "/" else None
    if form and "Action" in form:
        return VERSIONS.get(form.get("Version", ""), "unknown version " + form.get("Version", ""))
    parts = request.path.split("/")
    if len(parts) > 2 and len(parts[1]) == 10 and parts[1][:2] == "20" and parts[2] in LAMBDA_RESOURCES:
        return "lambda"
    return "s3"


def operation_of(request: Request) -> str:
    """The operation as far as the dispatch key names it: after the target's dot, or the Action; else empty."""
    target = request.header("x-amz-target")
    if target is not None:
        return target.rpartition(".")[2]
    form = form_of(request) if request.method == "POST" and request.path == "/" else None
    return form.get("Action", "") if form else ""


def includes(have: Any, want: Any) -> bool:
    """Whether `have` holds everything that `want` says: maps by subset, all else by equality."""
    if isinstance(want, dict) and isinstance(have, dict):
        return all(key in have and includes(have[key], value) for key, value in want.items())
    return have == want


@dataclass
class Expectation:
    """One kind of request that may arrive, at least `least` and at most `most` times.

    A field is a value, a question put to the value, or unset, which matches anything.
    """

    name: str
    least: int
    most: int
    service: str | None = None
    operation: str | None = None
    method: str | None = None
    path: str | Callable[[str], bool] | None = None
    query: str | Callable[[str], bool] | None = None
    region: str | None = None
    body: dict | bytes | Callable[[bytes], bool] | None = None
    seen: int = 0

    def matches(self, request: Request, service: str, region: str) -> bool:
        for want, have in ((self.service, service), (self.region, region), (self.method, request.method),
                           (self.path, request.path), (self.query, request.query)):
            if want is not None and not (want(have) if callable(want) else want == have):
                return False
        if self.operation is not None and self.operation != operation_of(request):
            return False
        return self.body is None or self._body_matches(request)

    def _body_matches(self, request: Request) -> bool:
        if callable(self.body):
            return self.body(request.body)
        if isinstance(self.body, bytes):
            return self.body == request.body
        form = form_of(request)
        if form is not None:
            return includes(form, self.body)
        try:
            return includes(json.loads(request.body), self.body)
        except ValueError:
            return False
