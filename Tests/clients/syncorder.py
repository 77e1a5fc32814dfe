"""Reads what shim/recorder.c recorded: no send precedes its sync, and what a crash leaves of the log verifies.

A kill cannot tell written from synced; this can. Bytes count as durable only once an fdatasync (or fsync) that began
after they were written has returned.
"""

import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

HEADER = struct.Struct("<QqqiiII")
OPS = ("", "open", "close", "write", "written", "sync-begin", "sync-end", "send", "connect", "rename", "truncate",
       "tls-send", "unlink")
METHODS = (b"GET ", b"HEAD ", b"PUT ", b"POST ", b"DELETE ", b"PATCH ")


@dataclass
class Record:
    order: int
    result: int
    offset: int
    thread: int
    fd: int
    op: str
    data: bytes


def read_trace(path: Path) -> list[Record]:
    """All records in their order; a last one that was cut by a kill is left out."""
    raw, at, records = path.read_bytes(), 0, []
    while at + HEADER.size <= len(raw):
        order, result, offset, thread, fd, op, size = HEADER.unpack_from(raw, at)
        at += HEADER.size
        if at + size > len(raw):
            break
        records.append(Record(order, result, offset, thread, fd, OPS[op], raw[at:at + size]))
        at += size
    return sorted(records, key=lambda r: r.order)


def build_recorder(folder: Path) -> Path:
    """Compiles the shim."""
    source = Path(__file__).parent / "shim/recorder.c"
    library = folder / "recorder.so"
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O2", "-o", str(library), str(source),
                    "-ldl", "-pthread"], check=True)
    return library


@dataclass
class LogFile:
    """What is known of one file under the log's folder."""

    path: str
    size: int = 0
    durable: int = 0
    #: bytes that each sync under way will have made durable, by thread
    pending: dict[int, int] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)
    #: whether the folder was synced after the file got its name: else a crash loses the file
    named: bool = False

    @property
    def surviving(self) -> int:
        return self.durable if self.named else 0


@dataclass
class Send:
    """The beginning of a request on an upstream connection."""

    order: int
    head: bytes
    #: durable bytes of each log file at that moment
    durable: dict[str, int]

    def header(self, name: str) -> str | None:
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name.encode():
                return value.strip().decode("latin-1")
        return None


class Replay:
    """Walks a trace and knows, at each moment, what of the log would survive a crash of the machine."""

    def __init__(self, records: list[Record]):
        self.records = records
        self.files: dict[str, LogFile] = {}
        self.sends: list[Send] = []
        self.syncs = 0
        #: (order, durable bytes by path) after each completed sync
        self.states: list[tuple[int, dict[str, int]]] = []
        self._open: dict[int, str] = {}
        self._folders: dict[int, str] = {}
        self._writing: dict[tuple[int, int], bytes] = {}
        for record in records:
            getattr(self, "_on_" + record.op.replace("-", "_"))(record)

    def _on_open(self, record: Record) -> None:
        path = record.data.decode()
        self._folders.pop(record.fd, None)
        self._open.pop(record.fd, None)
        if Path(path).is_dir():
            self._folders[record.fd] = path
        else:
            self._open[record.fd] = path
            known = self.files.setdefault(path, LogFile(path))
            if record.result & 0o1000:  # O_TRUNC
                known.size, known.content = 0, bytearray()

    def _on_close(self, record: Record) -> None:
        self._open.pop(record.fd, None)
        self._folders.pop(record.fd, None)

    def _on_write(self, record: Record) -> None:
        self._writing[(record.thread, record.fd)] = record.data

    def _on_written(self, record: Record) -> None:
        data = self._writing.pop((record.thread, record.fd), b"")[:max(0, record.result)]
        file = self._file(record)
        if file is None or not data:
            return
        begin = record.offset - len(data)
        if len(file.content) < begin:
            file.content += bytes(begin - len(file.content))
        file.content[begin:record.offset] = data
        file.size = max(file.size, record.offset)

    def _on_sync_begin(self, record: Record) -> None:
        file = self._file(record)
        if file:
            file.pending[record.thread] = file.size

    def _on_sync_end(self, record: Record) -> None:
        if record.fd in self._folders:
            for file in self.files.values():
                if str(Path(file.path).parent) == self._folders[record.fd].rstrip("/") and record.result == 0:
                    file.named = True
            self.states.append((record.order, self._durable()))
            return
        file = self._file(record)
        if file is None:
            return
        covered = file.pending.pop(record.thread, 0)
        if record.result == 0:
            self.syncs += 1
            file.durable = max(file.durable, covered)
            self.states.append((record.order, self._durable()))

    def _on_truncate(self, record: Record) -> None:
        file = self._file(record)
        if file and record.result == 0:
            file.size = record.offset
            file.durable = min(file.durable, record.offset)
            del file.content[record.offset:]

    def _on_send(self, record: Record) -> None:
        if record.data.startswith(METHODS):
            self.sends.append(Send(record.order, record.data, self._durable()))

    _on_tls_send = _on_send

    def _on_connect(self, record: Record) -> None:
        self._on_close(record)

    def _on_rename(self, record: Record) -> None:
        if record.result != 0:
            return
        old, new = (self._path(record.fd, name) for name in record.data.decode().split("\0"))
        if file := self.files.pop(old, None):
            file.path, file.named = new, False
            self.files[new] = file
            self._open = {fd: new if path == old else path for fd, path in self._open.items()}

    def _on_unlink(self, record: Record) -> None:
        if record.result == 0:
            self.files.pop(self._path(record.fd, record.data.decode()), None)

    def _path(self, folder: int, name: str) -> str:
        return name if name.startswith("/") else f"{self._folders.get(folder, '').rstrip('/')}/{name}"

    def _file(self, record: Record) -> LogFile | None:
        return self.files.get(self._open.get(record.fd, ""))

    def _durable(self) -> dict[str, int]:
        return {path: file.surviving for path, file in self.files.items() if file.named}

    def unsynced_sends(self, needs_sync) -> list[Send]:
        """The sends for which `needs_sync(send)` and whose invocation no durable byte of the log names."""
        late = []
        for send in self.sends:
            if not needs_sync(send):
                continue
            marker = (send.header("amz-sdk-invocation-id") or "no invocation id").encode()
            if not any(marker in file.content[:send.durable.get(path, 0)] for path, file in self.files.items()):
                late.append(send)
        return late

    def crash_state(self, state: Path, target: Path, durable: dict[str, int], torn: int = 0) -> None:
        """Copies the state folder `state` to `target` as a crash would leave it: of each log file what was durable,
        and `torn` bytes more of what was only written."""
        shutil.copytree(state, target)
        for path, file in self.files.items():
            if not Path(path).is_relative_to(state):
                continue
            kept = durable.get(path, 0)
            copy = target / Path(path).relative_to(state)
            if path not in durable:
                copy.unlink(missing_ok=True)
            elif copy.exists():
                copy.write_bytes(bytes(file.content[:min(kept + torn, len(file.content))]))

