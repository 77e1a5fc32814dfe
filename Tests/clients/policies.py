"""The policy files that the journeys run under, in the grammar of docs/policy.md."""

import os

from stand import ACCOUNT

US = f"us-east-1:{ACCOUNT}"


def table(name: str) -> str:
    return f"arn:aws:dynamodb:{US}:table/{name}"


# What passes: each service's everyday calls on resources called journey…; secrets by name, never by a wildcard.
ALLOWS = f"""\
Countersign: 1
Id: journeys
Agents: ["*"]
Statement:
  - Sid: Tables
    Effect: Allow
    Action:
      - dynamodb:GetItem
      - dynamodb:PutItem
      - dynamodb:UpdateItem
      - dynamodb:Query
      - dynamodb:Scan
      - dynamodb:BatchGetItem
      - dynamodb:BatchWriteItem
      - dynamodb:DescribeTable
    Resource: ["{table('journey*')}", "arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/journey*"]
  - Sid: Lists
    Effect: Allow
    Action:
      - dynamodb:ListTables
      - s3:ListAllMyBuckets
      - sqs:ListQueues
      - sns:ListTopics
      - iam:ListUsers
      - lambda:ListFunctions
      - kms:ListKeys
      - secretsmanager:ListSecrets
      - ssm:DescribeParameters
    Resource: "*"
  - Sid: Objects
    Effect: Allow
    Action:
      - s3:ListBucket
      - s3:GetObject
      - s3:PutObject
      - s3:AbortMultipartUpload
      - s3:ListMultipartUploadParts
      - s3:CreateBucket
      - s3:GetBucketLocation
    Resource: ["arn:aws:s3:::journey*", "arn:aws:s3:::journey*/*"]
  - Sid: Queues
    Effect: Allow
    Action: ["sqs:CreateQueue", "sqs:GetQueueUrl", "sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"]
    Resource: "arn:aws:sqs:{US}:journey*"
  - Sid: Topics
    Effect: Allow
    Action: ["sns:CreateTopic", "sns:Publish", "sns:GetTopicAttributes"]
    Resource: "arn:aws:sns:{US}:journey*"
  - Sid: People
    Effect: Allow
    Action: ["iam:CreateUser", "iam:GetUser", "iam:TagUser"]
    Resource: "arn:aws:iam::{ACCOUNT}:user/journey-mia"
  - Sid: Functions
    Effect: Allow
    Action: ["lambda:CreateFunction", "lambda:GetFunction", "lambda:GetFunctionConfiguration", "lambda:TagResource"]
    Resource: "arn:aws:lambda:{US}:function:journey*"
  - Sid: Pass
    Effect: Allow
    Action: iam:PassRole
    Resource: "arn:aws:iam::{ACCOUNT}:role/journey*"
  - Sid: Keys
    Effect: Allow
    Action: ["kms:DescribeKey", "kms:Encrypt", "kms:Decrypt"]
    Resource: ["arn:aws:kms:{US}:key/*", "arn:aws:kms:{US}:alias/journey*"]
  - Sid: Secrets
    Effect: Allow
    Action: ["secretsmanager:CreateSecret", "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    Resource: "arn:aws:secretsmanager:{US}:secret:journey*"
  - Sid: Parameters
    Effect: Allow
    Action: ["ssm:PutParameter", "ssm:GetParameter", "ssm:GetParametersByPath"]
    Resource: "arn:aws:ssm:{US}:parameter/journey*"
"""

# What asks: with the hold that clients get by default, or a short one that lets the refusal be seen.
ASKS = f"""\
Countersign: 1
Id: asks
Agents: ["*"]
Statement:
  - Sid: DeletesAsk
    Effect: AllowWithApproval
    Action: dynamodb:DeleteItem
    Resource: "{table('journey*')}"
    Approval: {{Approvers: [oncall], Scope: exact, GrantTTL: 15m, MaxUses: 1, PendingTTL: 30m}}
  - Sid: QuickDeletesAsk
    Effect: AllowWithApproval
    Action: dynamodb:DeleteItem
    Resource: "{table('quick*')}"
    Approval: {{Approvers: [oncall], Scope: exact, GrantTTL: 15m, MaxUses: 1, PendingTTL: 30m, Hold: 1s}}
  - Sid: SecretObjectsAsk
    Effect: RequireApproval
    Action: ["s3:GetObject", "s3:DeleteObject"]
    Resource: "arn:aws:s3:::journey*/secret/*"
    Approval: {{Approvers: [oncall], Scope: exact, Hold: 1s}}
  - Sid: DropsNeverPass
    Effect: Deny
    Action: dynamodb:DeleteTable
    Resource: "*"
"""

AGENTS = """\
Countersign: 1
Agents:
  - Name: support-7
    Owner: support@example.com
"""

APPROVERS = f"""\
Countersign: 1
People:
  - Name: alice
    Uids: [{os.getuid()}]
Groups:
  oncall: [alice]
"""

FILES = {"journeys": ALLOWS, "asks": ASKS, "agents": AGENTS, "approvers": APPROVERS}
