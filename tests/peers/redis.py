"""A Redis server for the tests alone: loopback only, in memory, ended and started again as a test likes."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from tests.peers.process import HOST, Process, free_port, is_listening
from tests.peers.programs import program

IN_MEMORY = ("--save", "", "--appendonly", "no")


class Redis:
    """Stores nothing on disk; `url` is its REDIS_URL, and stays the same when it comes back."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        server = program("redis-server", package="redis-server")
        address = ("--bind", HOST, "--port", str(self.port), "--dir", str(self._folder))
        self._process = Process([server, *address, *IN_MEMORY], log=self._folder / "redis.log")
        self._process.wait_until_ready(lambda: is_listening(self.port))

    def kill(self) -> None:
        """End it as a crash would; nothing is kept."""
        if self._process is not None:
            self._process.kill()
