"""Small signed calls through the gate and through nginx `proxy_pass`, side by side in one run: CPU, latency, memory, start.

    python bench.py [--rounds N] [--seconds S] [--starts N] [--json FILE]

Both stand before the same TLS upstream on loopback and verify its certificate; nginx signs nothing. One round runs
every call at every concurrency through one and then the other, so that what else the machine does falls on both. Run
by `scripts/bench`; how to read the table is in docs/performance.md.
"""

import argparse
import http.client
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchpeers import CALLS, Nginx, bench_gate, start_upstream
from gate import Gate, binary
from stand import REPOSITORY, Process

CONCURRENCIES = (1, 16, 64)
#: proxy here, wrk and the upstream there, as notes/performance.md has it; with one core nothing is pinned
CORES = sorted(os.sched_getaffinity(0))


@dataclass
class Round:
    """One run of wrk."""

    calls: int
    cpu_us: float
    p50_us: float
    p99_us: float


def pin(pid: int, core: int) -> None:
    if len(CORES) > 1:
        for task in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(task), {CORES[core]})


def cpu_seconds(pid: int) -> float:
    """What all threads of `pid` have run, from the scheduler's own count in nanoseconds."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def memory_mb(pid: int, name: str = "VmRSS") -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no {name} of {pid}")


def load(url: str, script: Path, connections: int, seconds: int, pid: int) -> Round:
    """Runs wrk for `seconds` and counts what process `pid` used meanwhile. Every answer must be a 200."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), url]
    if len(CORES) > 1:
        command = ["taskset", "-c", str(CORES[-1]), *command]
    before = cpu_seconds(pid)
    said = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    used = cpu_seconds(pid) - before
    assert said.returncode == 0, f"wrk: {said.stderr or said.stdout}"
    seen = json.loads(said.stdout.splitlines()[-1])
    assert seen["errors"] == 0 and seen["calls"] > 0, f"not all calls passed: {seen}"
    return Round(seen["calls"], used * 1e6 / seen["calls"], seen["p50"], seen["p99"])


def first_answer(start, port: int, path: str, method: str, fields: dict, body: bytes) -> float:
    """Seconds from before `start()` to the first 200."""
    begun = time.monotonic()
    process = start()
    while time.monotonic() - begun < 20:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, f"{answer.status}: {process.said()[-2000:]}"
            return time.monotonic() - begun
        except OSError:
            assert process.child.poll() is None, process.said()[-2000:]
            time.sleep(0.0005)
        finally:
            connection.close()
    raise AssertionError(f"no answer: {process.said()[-2000:]}")


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


def ratio(ours: list[float], theirs: list[float]) -> str:
    """The median of the rounds' own ratios: what disturbed a round disturbed both."""
    values = [a / b for a, b in zip(ours, theirs)]
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


class Bench:
    def __init__(self, folder: Path, options: argparse.Namespace):
        self.folder, self.options = folder, options
        self.upstream = start_upstream(folder)
        self.nginx = Nginx(folder, self.upstream)
        self.gate: Gate = bench_gate(folder, self.upstream)
        self.rounds: dict[tuple[str, str, int], list[Round]] = {}
        self.facts: dict[str, object] = {}

    def run(self) -> None:
        pin(self.upstream.pid, -1)
        self.starts()
        self.nginx.start()
        self.gate.start()
        pids = {"nginx": self.nginx.pid, "gate": self.gate.process.child.pid}
        for pid in pids.values():
            pin(pid, 0)
        urls = {"nginx": self.nginx.url, "gate": self.gate.url}
        scripts = {name: call.script(self.folder) for name, call in CALLS.items()}
        for who, pid in pids.items():
            self.facts[f"idle MB {who}"] = memory_mb(pid)
        for who, pid in pids.items():
            # The first calls pay for connections and caches.
            for name, script in scripts.items():
                load(urls[who] + CALLS[name].path(who), script, 16, 1, pid)
        for number in range(self.options.rounds):
            for connections in CONCURRENCIES:
                for name, script in scripts.items():
                    for who, pid in pids.items():
                        seen = load(urls[who] + CALLS[name].path(who), script, connections, self.options.seconds, pid)
                        self.rounds.setdefault((name, who, connections), []).append(seen)
            print(f"round {number + 1} of {self.options.rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
        for who, pid in pids.items():
            self.facts[f"c=64 MB {who}"] = memory_mb(pid, "VmHWM")
        self.gate.stop()
        verified = self.gate.verify_log()
        assert verified.returncode == 0, verified.stdout + verified.stderr
        self.facts["log"] = verified.stdout.strip().splitlines()[0]
        self.nginx.stop()

    def starts(self) -> None:
        """From exec to the first answered call, alternately; the gate on a state folder that it has served from."""
        call = CALLS["GetItem"]
        measured: dict[str, list[float]] = {"nginx": [], "gate": []}
        for _ in range(self.options.starts + 1):
            for who, peer in (("nginx", self.nginx), ("gate", self.gate)):
                seconds = first_answer(peer.launch, peer.port, call.path(who), call.method, call.fields, call.body)
                measured[who].append(seconds * 1000)
                peer.stop()
        # The very first start of each reads the disk and makes the state folder.
        self.facts["start ms"] = {who: values[1:] for who, values in measured.items()}

    def print(self) -> None:
        print(f"{self.options.rounds} rounds of {self.options.seconds} s; median (lowest-highest); ratios are to nginx "
              "in the same round")
        row = "{:8} {:>3}  {:>22} {:>22} {:>18}  {:>20} {:>18}"
        print(row.format("call", "c", "CPU us nginx", "CPU us gate", "x nginx", "p50 us gate", "x nginx"))
        for name in CALLS:
            for connections in CONCURRENCIES:
                theirs, ours = (self.rounds[name, who, connections] for who in ("nginx", "gate"))
                print(row.format(
                    name, connections, spread([r.cpu_us for r in theirs]), spread([r.cpu_us for r in ours]),
                    ratio([r.cpu_us for r in ours], [r.cpu_us for r in theirs]), spread([r.p50_us for r in ours]),
                    ratio([r.p50_us for r in ours], [r.p50_us for r in theirs])))
        for who in ("nginx", "gate"):
            print(f"memory of {who}: idle {self.facts[f'idle MB {who}']:.1f} MB, at c=64 at most "
                  f"{self.facts[f'c=64 MB {who}']:.1f} MB")
        for who, values in self.facts["start ms"].items():
            print(f"start to first answer of {who}: {spread(values)} ms, {len(values)} starts")
        print(f"log afterwards: {self.facts['log']}")


def versions() -> str:
    def line(*command: str) -> str:
        said = subprocess.run(command, capture_output=True, text=True)
        return (said.stdout or said.stderr).splitlines()[0]

    commit = line("git", "-C", str(REPOSITORY), "describe", "--always", "--dirty")
    curl = line("pkg-config", "--modversion", "libcurl")
    return (f"countersign {commit}, {line('swift', '--version')}; libcurl {curl}, {line('openssl', 'version')}; "
            f"{line('nginx', '-v')}; {line('wrk', '-v').split(' Copyright')[0]}; Linux {platform.release()}, "
            f"{len(CORES)} cores; load {os.getloadavg()[0]:.1f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--starts", type=int, default=15)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    print(versions())
    bench = Bench(folder, options)
    try:
        bench.run()
        bench.print()
    finally:
        for process in (bench.gate.process, bench.nginx.process, bench.upstream.process):
            if isinstance(process, Process):
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    assert Path(binary()).exists(), "run scripts/bench"
    sys.exit(main())
