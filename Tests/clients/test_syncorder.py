"""The recorder and its checker are judged on programs that sync first, too late, not at all, and the wrong bytes."""

import socket
import subprocess
import sys
import threading

import pytest

from syncorder import Replay, build_recorder, read_trace

PROGRAM = """
import os, socket, sys
log, port, order = sys.argv[1], int(sys.argv[2]), sys.argv[3]
folder = os.open(log, os.O_RDONLY | os.O_DIRECTORY)
file = os.open("000.new", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600, dir_fd=folder)
os.rename("000.new", "000.jsonl", src_dir_fd=folder, dst_dir_fd=folder)
if not order.startswith("nameless"): os.fsync(folder)
line = b'{"invocation":"inv-1"}\\n'
sock = socket.create_connection(("127.0.0.1", port))
for step in order.split(","):
    if step == "write": os.write(file, line)
    if step == "other": os.write(file, b'{"invocation":"inv-2"}\\n')
    if step == "pwrite": os.pwrite(file, line, 0)
    if step == "writev": os.writev(file, [line[:5], line[5:]])
    if step == "sync": os.fdatasync(file)
    if step == "fsync": os.fsync(file)
    if step == "send": sock.sendall(b"POST / HTTP/1.1\\r\\nAmz-Sdk-Invocation-Id: inv-1\\r\\n\\r\\n")
    if step == "sendmsg": sock.sendmsg([b"POST / HTTP/1.1\\r\\nAmz-Sdk-", b"Invocation-Id: inv-1\\r\\n\\r\\n"])
    if step == "os": os.write(sock.fileno(), b"POST / HTTP/1.1\\r\\namz-sdk-invocation-id: inv-1\\r\\n\\r\\n")
"""


@pytest.fixture(scope="module")
def recorder(tmp_path_factory):
    return build_recorder(tmp_path_factory.mktemp("shim"))


def trace(recorder, tmp_path, order: str) -> Replay:
    log = tmp_path / "log"
    log.mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].recv(65536), daemon=True).start()
        environment = {"LD_PRELOAD": str(recorder), "RECORDER_FILE": str(tmp_path / "trace"),
                       "RECORDER_PREFIX": str(log)}
        subprocess.run([sys.executable, "-c", PROGRAM, str(log), str(server.getsockname()[1]), order],
                       env=environment, check=True, timeout=20)
    return Replay(read_trace(tmp_path / "trace"))


@pytest.mark.parametrize("order,late", [
    ("write,sync,send", 0), ("writev,fsync,send", 0), ("pwrite,sync,sendmsg", 0), ("write,sync,os", 0),
    ("write,sync,other,send", 0), ("write,send,sync", 1), ("send,write,sync", 1), ("write,send", 1),
    ("sync,write,send", 1), ("other,sync,send", 1), ("other,sync,write,send,sync", 1), ("write,sync,send,sendmsg", 0),
    ("other,sync,write,os", 1), ("nameless,write,sync,send", 1),
])
def test_a_send_before_its_sync_is_found(recorder, tmp_path, order, late):
    replay = trace(recorder, tmp_path, order)
    assert len(replay.sends) == sum(order.count(step) for step in ("send", "os")), "each send is seen"
    assert len(replay.unsynced_sends(lambda send: True)) == late


def test_a_crash_leaves_what_was_synced_and_may_tear_the_rest(recorder, tmp_path):
    replay = trace(recorder, tmp_path, "write,sync,other,send")
    whole = (tmp_path / "log/000.jsonl").read_bytes()
    assert whole == b'{"invocation":"inv-1"}\n{"invocation":"inv-2"}\n'
    assert bytes(replay.files[str(tmp_path / "log/000.jsonl")].content) == whole
    durable = replay.states[-1][1]
    for torn in (0, 1, 10, len(whole)):
        target = tmp_path / f"crash-{torn}"
        replay.crash_state(tmp_path / "log", target, durable, torn)
        assert (target / "000.jsonl").read_bytes() == whole[:23 + torn]
    replay.crash_state(tmp_path / "log", tmp_path / "early", {}, 10)
    assert not (tmp_path / "early/000.jsonl").exists()
