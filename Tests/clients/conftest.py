"""Fixtures: moto once, a verifier and a gate for each journey, clients without keys."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import policies  # noqa: E402
from agents import Agent  # noqa: E402
from gate import GATEWAY_KEYS, Gate, binary  # noqa: E402
from stand import Moto  # noqa: E402
from verifier import Verifier  # noqa: E402


@pytest.fixture(scope="session")
def moto_process(tmp_path_factory):
    moto = Moto(tmp_path_factory.mktemp("moto"))
    yield moto
    moto.process.stop()


@pytest.fixture
def moto(moto_process):
    """moto with nothing in it."""
    moto_process.reset()
    return moto_process


@pytest.fixture
def verifier(moto):
    """The verifier before moto. What the journey declared is proved at its end, whether the journey asks or not."""
    with Verifier(GATEWAY_KEYS, moto=moto.address) as verifier:
        yield verifier
        verifier.assert_expected()


@pytest.fixture
def gate_folder(tmp_path):
    folder = tmp_path / "gate"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def gate(gate_folder, verifier):
    """A running gate under the test's `policies`; its secret must be in nothing that it printed or wrote."""
    assert Path(binary()).exists(), f"{binary()} is not built: run scripts/test, or swift build"
    gate = Gate(gate_folder, verifier.url)
    gate.write_policies(**policies.FILES)
    gate.start()
    yield gate
    gate.stop()
    for path in [gate_folder / "gate.txt", *gate.state.rglob("*")]:
        if path.is_file():
            assert GATEWAY_KEYS.secret_key.encode() not in path.read_bytes(), f"the gateway's secret is in {path}"


@pytest.fixture
def agent(gate, tmp_path):
    """The AWS CLI and boto3 of an agent that holds no keys."""
    folder = tmp_path / "agent"
    folder.mkdir()
    return Agent(gate.url, folder)


def pytest_report_header():
    return f"gate: {binary()}"
