"""The gate's memory does not grow with the calls it has served."""

import http.client
import json
from pathlib import Path

import policies
from chaos import answer
from gate import GATEWAY_KEYS, Gate
from verifier import Verifier


def resident_kb(gate: Gate) -> int:
    status = Path(f"/proc/{gate.process.child.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def call(gate: Gate, count: int) -> None:
    """Reads over one connection: what a call keeps for good shows, what a connection keeps does not."""
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=10)
    body = json.dumps({"TableName": "journey-orders", "Key": {"id": {"S": "o-91"}}}).encode()
    for _ in range(count):
        connection.request("POST", "/", body, {
            "X-Amz-Target": "DynamoDB_20120810.GetItem", "Content-Type": "application/x-amz-json-1.0"})
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"{}")
    connection.close()


def test_memory_does_not_grow_with_calls(gate_folder):
    with Verifier(GATEWAY_KEYS, responder=answer) as verifier:
        gate = Gate(gate_folder, verifier.url)
        gate.write_policies(**policies.FILES)
        gate.start()
        call(gate, 1_000)
        before = resident_kb(gate)
        call(gate, 2_000)
        grown = resident_kb(gate) - before
        gate.stop()
    # A call of which nothing is freed is about 9 KB; 2,000 of them would be 18 MB.
    assert grown < 6_000, f"{grown} KB more after 2,000 calls"
