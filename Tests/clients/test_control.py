"""docs/control.md says what the two sockets do: every route there answers, every route and code here is there."""

import json
import re

import pytest

import chaos
import desk
from gate import GATEWAY_KEYS, Gate
from stand import REPOSITORY
from test_races import policy
from verifier import Verifier

DOC = (REPOSITORY / "docs/control.md").read_text()
SOURCES = {path.name: path.read_text() for path in (REPOSITORY / "Sources/Gateway").glob("*.swift")}


def section(title: str) -> str:
    return DOC.split(f"\n## {title}\n")[1].split("\n## ")[0]


def documented(title: str) -> set[str]:
    return set(re.findall(r"^\| `((?:GET|POST) /v1/\S+)` \|", section(title), re.M))


def built(file: str) -> set[str]:
    """The routes of a plane's switch, as its source says them."""
    found = re.findall(r'case \("(GET|POST)", "(\w+)", (\d)\)(?: where rest\[1\] == "(\w+)")?', SOURCES[file])
    return {f"{method} /v1/{first}" + ("/ID" if int(count) else "") + (f"/{last}" if last else "")
            for method, first, count, last in found}


@pytest.fixture
def place(tmp_path):
    with Verifier(GATEWAY_KEYS, responder=chaos.answer) as verifier:
        verifier.expect("delete", least=0, most=9, operation="DeleteItem")
        gate = Gate(tmp_path, verifier.url)
        gate.write_policies(**policy())
        gate.start()
        yield gate
        gate.stop()


def test_serve_says_each_thing_as_one_json_object(tmp_path):
    with Verifier(GATEWAY_KEYS, responder=chaos.answer) as verifier:
        verifier.expect("delete", least=0, most=9, operation="DeleteItem")
        gate = Gate(tmp_path, verifier.url, options=("--json",))
        gate.write_policies(**policy())
        gate.start()
        approval = desk.delete(gate.port).headers["x-countersign-approval-id"]
        gate.stop()
    said = [json.loads(line) for line in (tmp_path / "gate.txt").read_text().splitlines()]
    assert all(list(line) == ["message"] for line in said)
    assert "ready" in [line["message"] for line in said]
    # A card has many lines, and is one thing.
    cards = [line["message"] for line in said if approval in line["message"]]
    assert cards and "\n" in cards[0]


@pytest.mark.parametrize("title,file,count", [("Routes of the control socket", "ControlPlane.swift", 8),
                                              ("Routes of the agents' socket", "AgentPlane.swift", 8)])
def test_the_documented_routes_are_the_built_ones(title, file, count):
    assert documented(title) == built(file) and len(documented(title)) == count


def test_every_documented_route_answers_and_no_other(place):
    approval = desk.delete(place.port).headers["x-countersign-approval-id"]
    grant = desk.review(place.control, approval).json["grant"]
    for socket, title in [(place.control, "Routes of the control socket"), (place.agents, "Routes of the agents' socket")]:
        for route in documented(title):
            method, path = route.split()
            # A session of this user's own for each route: one of them closes it.
            session = desk.ask(place.agents, "POST", "/v1/sessions", {"agent": place.agent, "task": route}).json["session"]
            path = path.replace("ID", grant if "/grants/" in path else session if "/sessions/" in path else approval)
            reply = desk.ask(socket, method, path, {} if method == "POST" else None)
            assert reply.status in (200, 400, 409), (route, reply)
            other = {"GET": "POST", "POST": "GET"}[method]
            if f"{other} {route.split()[1]}" not in documented(title):
                other_reply = desk.ask(socket, other, path, {} if other == "POST" else None)
                assert other_reply.code == "NotFound", route
            assert desk.ask(socket, method, path + "/", {} if method == "POST" else None).code == "NotFound", route
            assert desk.ask(socket, method, "/" + path, {} if method == "POST" else None).status in (400, 404), route
        assert desk.ask(socket, "GET", "/v2/inbox").code == desk.ask(socket, "GET", "/").code == "NotFound"


def test_the_card_has_the_documented_members(place):
    approval = desk.delete(place.port).headers["x-countersign-approval-id"]
    rows = re.findall(r"^\| (`.+?`) \| (.+) \|$", DOC.split("### The card")[1].split("### A review")[0], re.M)
    documented = {name for names, _ in rows for name in re.findall(r"`(\w+)`", names)}
    card = desk.show(place.control, approval)
    assert set(card) == documented
    held = {names: re.findall(r"`(\w+)`", text) for names, text in rows}
    assert set(card["requester"]) == set(held["`requester`"])
    assert set(card["what"]) == set(held["`what`"])
    assert set(card["pairs"][0]) == set(held["`pairs`"])
    settled = desk.review(place.control, approval).json
    assert set(settled) == documented - {"nonce", "approver"}
    assert set(settled["reviews"][0]) == set(held["`reviews`"])
    own = desk.ask(place.agents, "GET", f"/v1/approvals/{approval}").json
    assert '{' + ",".join(f'"{name}"' for name in own) + '}' in section("Routes of the agents' socket")


def test_every_error_code_is_documented_with_its_status():
    table = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", section("Errors"), re.M))
    planes = SOURCES["ControlPlane.swift"] + SOURCES["AgentPlane.swift"] + SOURCES["Doors.swift"]
    planes += SOURCES["LogReading.swift"] + SOURCES["AgentSessions.swift"]
    built = {code: status for status, code in re.findall(r'error\(\s*(\d+), "(\w+)"', planes)}
    statuses = re.findall(r"case ([.\w, ]+): (\d{3})", SOURCES["ControlPlane.swift"])
    for cases, status in statuses:
        for case in re.findall(r"\.(\w+)", cases):
            built[re.search(rf'case \.{case}: "(\w+)"', SOURCES["ControlPlane.swift"]).group(1)] = status
    assert built == table


def test_a_name_twice_in_the_query_is_an_error(place):
    approval = desk.delete(place.port).headers["x-countersign-approval-id"]
    reply = desk.ask(place.agents, "GET", f"/v1/approvals/{approval}/wait?seconds=1&seconds=2")
    assert reply.status == 400 and reply.code == "BadRequest", reply


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"verdict":"approve","verdict":"deny"}', b"{}" + b" " * 65_536,
                                  b'{"verdict":"maybe"}', b'{"verdict":null}'])
def test_a_review_that_cannot_be_read_decides_nothing(place, body):
    approval = desk.delete(place.port).headers["x-countersign-approval-id"]
    connection = desk._UnixConnection(place.control, 10)
    connection.request("POST", f"/v1/approvals/{approval}/review", body, {"Content-Type": "application/json"})
    assert connection.getresponse().status in (400, 413)
    connection.close()
    assert desk.show(place.control, approval)["state"] == "pending"
