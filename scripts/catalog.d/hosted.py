"""Services that are reached on hosts of their resources and that no service model describes: APIs behind API Gateway,
function URLs, the data planes of OpenSearch. hosted.json says what their documentation does; a model in botocore's form
is made of it.
"""
import functools
import json
import os

FOLDER = os.path.dirname(os.path.abspath(__file__))


def text():
    with open(os.path.join(FOLDER, "hosted.json"), "rb") as file:
        return file.read()


@functools.cache
def rows():
    return json.loads(text())["services"]


def models():
    """{client name: model}."""
    return {name: model(row) for name, row in rows().items()}


def model(row):
    """One operation for each method at any path below the host, and one at its root, which no label stands for."""
    operations, shapes = {}, {
        "Text": {"type": "string"}, "Secret": {"type": "string", "sensitive": True},
        "Parameters": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}}}
    for name, method in row["operations"].items():
        for suffix, path in (("", row.get("path", "/{Path+}")), ("AtRoot", "/")):
            if suffix and "path" in row:
                continue
            shape = name + suffix + "Request"
            members = {"Query": {"shape": "Parameters", "location": "querystring"}}
            if "{Path+}" in path:
                members["Path"] = {"shape": "Text", "location": "uri", "locationName": "Path"}
            for header in row.get("secretHeaders", []):
                members[header] = {"shape": "Secret", "location": "header", "locationName": header}
            shapes[shape] = {"type": "structure", "members": members}
            if method != "HEAD":
                # Text, so that an approver reads it.
                members["Body"] = {"shape": "Text"}
                shapes[shape]["payload"] = "Body"
            operations[name + suffix] = {"http": {"method": method, "requestUri": path}, "input": {"shape": shape}}
    return {
        "metadata": {
            "protocol": "rest-json", "apiVersion": row["version"], "endpointPrefix": row["signingName"],
            "signingName": row["signingName"], "signatureVersion": "v4"},
        "operations": operations, "shapes": shapes}
