"""One approval, one send: joined, raced, killed between any two steps, with a failing disk and a clock set back."""

import json
import os
import shutil
import subprocess
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import pytest

import chaos
import desk
from gate import GATEWAY_KEYS, Gate
from policies import AGENTS, table
from stand import free_port, wait_port
from verifier import Verifier

DELETE = {"service": "dynamodb", "operation": "DeleteItem"}
APPROVERS = f"""\
Countersign: 1
People:
  - {{Name: alice, Uids: [{os.getuid()}]}}
  - {{Name: bob, Uids: [61002]}}
Groups:
  oncall: [alice, bob]
"""


def policy(**terms: str) -> dict[str, str]:
    """Deletes in the table ask, on these terms."""
    terms = {"Approvers": "[oncall]", "Scope": "exact", "Hold": "1s", "PendingTTL": "30m", "GrantTTL": "15m"} | terms
    text = ", ".join(f"{key}: {value}" for key, value in terms.items())
    return {"agents": AGENTS, "approvers": APPROVERS, "asks": f"""\
Countersign: 1
Id: asks
Agents: ["*"]
Statement:
  - Sid: DeletesAsk
    Effect: AllowWithApproval
    Action: dynamodb:DeleteItem
    Resource: "{table('quick*')}"
    Approval: {{{text}}}
"""}


THROTTLED = b'HTTP/1.1 400 Bad\r\nContent-Length: 32\r\n\r\n{"__type":"ThrottlingException"}'


class Place:
    """A gate before a verifier that answers by itself."""

    def __init__(self, gate: Gate, verifier: Verifier):
        self.gate, self.verifier, self.port, self.control = gate, verifier, gate.port, gate.control

    def delete(self, *arguments, **options) -> desk.Reply:
        return desk.delete(self.port, *arguments, **options)

    def asked(self, *arguments, **options) -> str:
        """The id of the approval that a delete is held for."""
        reply = self.delete(*arguments, **options)
        assert reply.status == 403 and reply.code in ("ApprovalRequired", "ApprovalPending"), reply
        return reply.headers["x-countersign-approval-id"]

    def approve(self, approval: str) -> desk.Reply:
        reply = desk.review(self.control, approval)
        assert reply.status == 200, reply
        return reply

    def restart(self) -> None:
        self.gate.kill()
        self.gate.start()

    def arrived(self, count: int) -> None:
        assert len(self.verifier.seen()) == count, self.verifier.seen()


@pytest.fixture
def gate_folder():
    """One that bob's uid may pass through."""
    folder = desk.open_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def place(gate_folder):
    with Verifier(GATEWAY_KEYS, responder=chaos.answer) as verifier:
        verifier.expect("delete", least=0, most=1000, **DELETE)
        gate = Gate(gate_folder, verifier.url)
        gate.write_policies(**policy())
        gate.start()
        yield Place(gate, verifier)
        with suppress(AssertionError):
            gate.stop()
        assert gate.verify_log().returncode == 0


def at_once(count: int, work) -> list:
    """`work(n)` in `count` threads that begin together."""
    start = threading.Barrier(count)

    def run(number: int):
        start.wait(20)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_the_same_call_by_many_at_once_is_one_question(place):
    replies = at_once(48, lambda _: place.delete("o-1"))
    assert {reply.code for reply in replies} == {"ApprovalRequired"}
    assert len({reply.headers["x-countersign-approval-id"] for reply in replies}) == 1
    assert len(desk.waiting(place.control)) == 1
    place.arrived(0)


def test_a_flood_of_questions_stops_at_the_limit_and_does_not_stop_another_agent(place):
    place.gate.stop()
    other = free_port()
    place.gate.options = ("--listen", f"other=127.0.0.1:{other}")
    place.gate.start()
    replies = at_once(120, lambda number: place.delete(f"flood-{number}"))
    refused = [r for r in replies if b"which is the limit" in r.body]
    assert len(desk.waiting(place.control)) == 64 and len(refused) == 56
    began = time.monotonic()
    reply = desk.delete(other, "theirs")
    assert reply.code == "ApprovalRequired" and time.monotonic() - began < 3, reply
    # To withdraw and ask again in turn gains nothing.
    for card in desk.waiting(place.control):
        if card["requester"]["agent"] != "other":
            done = desk.ask(place.gate.agents, "POST", f"/v1/approvals/{card['approval']}/withdraw", {})
            assert done.status == 200 and done.json["state"] == "withdrawn", done
    assert b"which is the limit" in place.delete("once more").body


@pytest.mark.parametrize("invocation", [None, "11111111-2222-3333-4444-555555555555"])
def test_a_grant_for_one_use_hit_by_many_connections_is_used_once(place, invocation):
    approval = place.asked("o-1")
    place.approve(approval)
    replies = at_once(64, lambda _: place.delete("o-1", invocation or str(uuid.uuid4())))
    place.arrived(1)
    served = [reply for reply in replies if reply.status == 200]
    if invocation:
        assert len(served) == 64, "every attempt of the one invocation gets its outcome"
    else:
        assert len(served) == 1
        again = {reply.headers["x-countersign-approval-id"] for reply in replies if reply.status != 200}
        assert len(again) == 1 and again != {approval}, "all others ask one new question"


def test_many_that_wait_for_one_grant_make_one_send_and_one_new_question(place):
    place.gate.write_policies(**policy(Hold="15s"))
    place.restart()
    results = []
    threads = [threading.Thread(target=lambda: results.append(place.delete("o-1"))) for _ in range(24)]
    for thread in threads:
        thread.start()
    first = place.gate.wait_inbox()[0]["id"]
    time.sleep(1.5)
    place.approve(first)
    place.verifier.wait_seen("delete", 1)
    second = place.gate.wait_inbox()[0]["id"]
    time.sleep(0.5)
    assert [card["id"] for card in place.gate.inbox()] == [second] and second != first
    assert desk.review(place.control, second, "deny").status == 200
    for thread in threads:
        thread.join(20)
    assert sorted(r.code for r in results) == [""] + ["ApprovalDenied"] * 23
    place.arrived(1)


def test_a_denial_wins_a_race_against_an_approval(place):
    for number in range(12):
        arrived = len(place.verifier.seen())
        approval = place.asked(f"o-{number}")
        nonces = [desk.show(place.control, approval)["nonce"],
                  desk.as_uid(61002, desk.show, place.control, approval, groups=(os.getgid(),))["nonce"]]

        def answer(who: int):
            if who == 0:
                return desk.review(place.control, approval, "approve", nonces[0])
            return desk.as_uid(61002, desk.review, place.control, approval, "deny", nonces[1], groups=(os.getgid(),))

        approved, denied = at_once(2, answer)
        reply = place.delete(f"o-{number}")
        state = desk.show(place.control, approval)["state"]
        if denied.status == 200:
            assert state == "denied" and reply.code == "ApprovalDenied", (approved, denied, reply)
        else:
            assert denied.code == "AlreadyEnded" and state == "approved", (approved, denied)
            # Only a denial that came when all was over leaves the grant alone.
            assert (reply.status == 200) == (b"revoked" not in denied.body), (denied, reply)
        assert len(place.verifier.seen()) == arrived + (reply.status == 200)


def test_an_approval_at_the_instant_of_expiry_is_one_or_the_other(place):
    place.gate.write_policies(**policy(PendingTTL="2s", Hold="0s"))
    place.restart()
    for number in range(6):
        approval = place.asked(f"o-{number}")
        created = time.monotonic()
        nonce = desk.show(place.control, approval)["nonce"]
        time.sleep(max(0.0, 1.97 + 0.01 * number - (time.monotonic() - created)))
        answered = desk.review(place.control, approval, "approve", nonce)
        time.sleep(0.3)
        state = desk.show(place.control, approval)["state"]
        reply = place.delete(f"o-{number}")
        assert state in ("approved", "expired") and (reply.status == 200) == (state == "approved"), (answered, reply)
        ends = [e for e in place.gate.entries() if e["type"] == "approval-end" and e["approval"] == approval]
        assert len(ends) == (state == "expired"), ends


def test_an_agent_may_wait_for_an_answer_as_often_as_it_likes(place):
    approval = place.asked("o-1")
    replies = at_once(30, lambda _: [desk.ask(place.gate.agents, "GET", f"/v1/approvals/{approval}/wait?seconds=1")
                                     for _ in range(3)])
    assert {reply.status for three in replies for reply in three} == {200}


# Killed between any two steps.


def test_killed_after_the_question_it_still_waits(place):
    approval = place.asked("o-1")
    place.restart()
    assert [card["approval"] for card in desk.waiting(place.control)] == [approval]
    assert place.asked("o-1") == approval
    place.approve(approval)
    assert place.delete("o-1").status == 200
    place.arrived(1)


def test_killed_after_the_approval_its_grant_is_used_once(place):
    approval = place.asked("o-1")
    place.approve(approval)
    place.restart()
    place.arrived(0)
    assert place.delete("o-1").status == 200
    place.restart()
    assert place.asked("o-1") != approval
    place.arrived(1)


def test_killed_while_a_use_is_on_its_way_it_is_neither_repeated_nor_revived(place):
    """With a grant of three uses, only the invocation tells a repetition from the next call."""
    place.gate.write_policies(**policy(MaxUses="3"))
    place.restart()
    approval = place.asked("o-1")
    place.approve(approval)
    place.verifier.fault("delay", seconds=30)
    invocation = str(uuid.uuid4())

    def cut():
        with suppress(OSError):
            place.delete("o-1", invocation)

    thread = threading.Thread(target=cut)
    thread.start()
    place.verifier.wait_seen("delete", 1)
    place.restart()
    thread.join(10)
    retried = place.delete("o-1", invocation)
    assert retried.status == 403 and retried.code == "OutcomeUnknown", retried
    place.arrived(1)
    used = [grant["uses"] for grant in desk.ask(place.control, "GET", "/v1/grants").json["grants"]]
    assert used == [1], "what was on its way stays used"
    assert place.delete("o-1").status == 200, "another invocation is the next use"
    place.restart()
    assert place.delete("o-1", invocation).code == "OutcomeUnknown"
    place.arrived(2)


def test_a_client_that_is_gone_when_the_answer_comes_has_nothing_sent(place):
    place.gate.write_policies(**policy(Hold="20s"))
    place.restart()
    with suppress(OSError):
        place.delete("o-1", seconds=1)
    approval = place.gate.wait_inbox()[0]["id"]
    place.approve(approval)
    time.sleep(0.5)
    place.arrived(0)


def test_a_call_asked_under_other_statements_takes_the_place_of_the_old_one(place):
    place.gate.write_policies(**policy(Hold="20s"))
    place.restart()
    results: list = []
    thread = threading.Thread(target=lambda: results.append(place.delete("o-1")))
    thread.start()
    old = place.gate.wait_inbox()[0]["id"]
    place.gate.write_policies(**policy(Hold="20s", GrantTTL="5m"))
    place.gate.process.child.send_signal(1)
    deadline = time.monotonic() + 10
    while [c["id"] for c in place.gate.inbox()] in ([], [old]) and time.monotonic() < deadline:
        time.sleep(0.05)
    new = place.gate.wait_inbox()[0]["id"]
    assert new != old and desk.show(place.control, old)["state"] == "withdrawn"
    late = desk.review(place.control, old, nonce="0" * 32)
    assert late.status == 409, late
    place.approve(new)
    thread.join(10)
    assert results[0].status == 200
    place.arrived(1)


def test_an_operator_who_stops_reading_stops_nobody(gate_folder):
    """Cards are printed as they come; a full pipe must not hold the loop, and with it every agent."""
    with Verifier(GATEWAY_KEYS, responder=chaos.answer) as verifier:
        gate = Gate(gate_folder, verifier.url)
        gate.write_policies(**policy(Hold="0s"))
        child = subprocess.Popen(gate.command(), env=gate.environment(), stdout=subprocess.PIPE)
        try:
            wait_port(gate.port, SimpleNamespace(child=child, argv=[], said=lambda: ""))
            for number in range(64):
                with suppress(ConnectionRefusedError):
                    reply = desk.delete(gate.port, f"{number}" + "k" * 2_000, seconds=10)
                    assert reply.code == "ApprovalRequired", reply
            assert len(desk.waiting(gate.control)) == 64
        finally:
            child.kill()
            child.communicate()


# A failing disk, a clock set back.


@pytest.fixture
def faulty(gate_folder, tmp_path):
    """The gate over a disk that fails while the file `place.lever` is there."""
    with Verifier(GATEWAY_KEYS, responder=chaos.answer) as verifier:
        verifier.expect("delete", least=0, most=1000, **DELETE)
        gate = Gate(gate_folder, verifier.url, preload={
            "LD_PRELOAD": str(desk.build_faults(tmp_path)), "FAULTS_PREFIX": str(gate_folder / "state/log"),
            "FAULTS_SWITCH": str(tmp_path / "failing")})
        gate.write_policies(**policy())
        gate.start()
        place = Place(gate, verifier)
        place.lever = tmp_path / "failing"
        yield place
        with suppress(AssertionError):
            gate.stop()
        assert gate.verify_log().returncode == 0


def test_a_log_that_cannot_be_written_stops_every_step_and_recovers(faulty):
    place = faulty
    approval = place.asked("o-1")
    place.lever.touch()
    assert place.delete("o-2").status == 503, "no question without its entry"
    answered = desk.review(place.control, approval)
    assert answered.status == 503 and answered.code == "LogUnwritable", answered
    place.lever.unlink()
    assert desk.show(place.control, approval)["state"] == "pending"
    place.approve(approval)
    place.lever.touch()
    assert place.delete("o-1").status == 503, "no send without its entry"
    place.arrived(0)
    place.lever.unlink()
    assert place.delete("o-1").status == 200, "the use was not taken"
    place.arrived(1)
    place.restart()
    assert place.asked("o-1") != approval
    assert any(entry["type"] == "gap" for entry in place.gate.entries())


def test_a_use_whose_release_the_log_lost_stays_used(faulty):
    """AWS throttled it, and that could not be written: a log that shows the use twice would never be read again."""
    place = faulty
    place.gate.write_policies(**policy(MaxUses="2"))
    place.restart()
    place.approve(place.asked("o-1"))
    place.verifier.fault("raw", data=THROTTLED)
    results: list = []
    thread = threading.Thread(target=lambda: results.append(place.delete("o-1", "one-invocation")))
    real = place.verifier._answer

    def answer_after_the_disk_failed(*arguments):
        place.lever.touch()
        return real(*arguments)

    place.verifier._answer = answer_after_the_disk_failed
    thread.start()
    thread.join(20)
    assert results[0].status == 400 and b"Throttling" in results[0].body
    place.verifier._answer = real
    time.sleep(0.3)
    place.lever.unlink()
    assert place.delete("o-1").status == 200
    place.restart()
    uses = [json.dumps(u) for e in place.gate.entries() if e["type"] == "request" for u in e.get("uses", [])]
    assert len(uses) == len(set(uses)) == 2


def test_a_throttled_attempt_leaves_the_use_to_the_next_one(place):
    place.approve(place.asked("o-1"))
    place.verifier.fault("raw", data=THROTTLED)
    invocation = str(uuid.uuid4())
    assert place.delete("o-1", invocation).status == 400
    assert place.delete("o-1", invocation).status == 200
    place.arrived(2)


def test_a_clock_set_back_while_the_gate_is_down_revives_no_grant(faulty):
    place = faulty
    place.gate.write_policies(**policy(GrantTTL="2s"))
    place.restart()
    approval = place.asked("o-1")
    place.approve(approval)
    time.sleep(2.2)
    assert place.asked("o-1") != approval
    place.gate.kill()
    place.gate.preload |= {"FAULTS_CLOCK": "-3600"}
    place.gate.start()
    assert place.delete("o-1").status == 403
    place.arrived(0)
    assert "the clock stands" in place.gate.process.said()
