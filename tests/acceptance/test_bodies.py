"""A flood of bytes against a real server: it costs neither disk nor memory, and the server goes on answering."""

from __future__ import annotations

import http.client
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.acceptance.conftest import ROOT, Shell

FLOOD_BYTES = 300_000_000
PIECE = bytes(1_000_000)
MORE_MEMORY_BYTES = 10_000_000
"""What the interpreter may take meanwhile for itself."""
MORE_DISK_BYTES = 1_000_000
"""What the database may take meanwhile for itself."""


@dataclass
class Server:
    """An ASGI server of its own process, as in a scaled-out installation."""

    process: subprocess.Popen[str]
    port: int
    data_folder: Path

    @property
    def memory_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    @property
    def disk_bytes(self) -> int:
        """Of the data folder, and of what the process holds open without a name."""
        paths = [*self.data_folder.rglob("*"), *Path(f"/proc/{self.process.pid}/fd").iterdir()]
        return sum({found.st_ino: found.st_size for path in paths if (found := regular_file(path))}.values())


def regular_file(path: Path) -> os.stat_result | None:
    """What may have gone again since it was listed."""
    with suppress(FileNotFoundError):
        found = path.stat()
        return found if stat.S_ISREG(found.st_mode) else None
    return None


@pytest.fixture
def server(shell: Shell, tmp_path: Path) -> Iterator[Server]:
    migrated = shell.run("migrate", "-v0")
    assert migrated.returncode == 0, migrated.stderr
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "project.asgi:application", "--fd", str(listening.fileno())],
            cwd=ROOT,
            env=shell.environment,
            pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    server = Server(process, port, tmp_path / "data")
    assert ask_for_the_login(server) == 200  # waits in the backlog until it answers
    yield server
    process.terminate()
    process.wait(timeout=20)


def ask_for_the_login(server: Server) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=40)
    connection.request("GET", "/account/login/")
    status_code = connection.getresponse().status
    connection.close()
    return status_code


def flood(server: Server, path: str, *, is_chunked: bool) -> bytes:
    """Send it all, whatever the server says meanwhile; returns what it says."""
    length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {FLOOD_BYTES}"
    form = "Content-Type: multipart/form-data; boundary=x"
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{form}\r\n{length}\r\n\r\n".encode())
        for _ in range(FLOOD_BYTES // len(PIECE)):
            frame = (b"%x\r\n" % len(PIECE), b"\r\n") if is_chunked else (b"", b"")
            connection.sendall(PIECE.join(frame))
        if is_chunked:
            connection.sendall(b"0\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b""))


class Watched:
    """The most that the server took while the block ran."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._over = Event()
        self._thread = Thread(target=self._watch)
        self.looks = self.most_memory = self.most_disk = 0

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            self.most_memory = max(self.most_memory, self._server.memory_bytes)
            self.most_disk = max(self.most_disk, self._server.disk_bytes)
            self.looks += 1
            time.sleep(0.005)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with a length", "in chunks"])
def test_300_mb_of_nobody_cost_neither_disk_nor_memory(server: Server, is_chunked: bool) -> None:
    memory, disk = server.memory_bytes, server.disk_bytes

    with Watched(server) as watched:
        for path in ("/account/login/", "/new/", "/api/v1/batches/", "/unknown/"):
            assert flood(server, path, is_chunked=is_chunked).startswith(b"HTTP/1.1 413 ")

    assert watched.looks > 10
    assert watched.most_memory - memory < MORE_MEMORY_BYTES
    assert watched.most_disk - disk < MORE_DISK_BYTES
    assert ask_for_the_login(server) == 200
