"""A PostgreSQL cluster for the tests alone: temporary, loopback only, run as a user without privileges."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.peers.process import HOST, Process, free_port
from tests.peers.programs import program

BINARIES = ("/usr/lib/postgresql/*/bin",)
ROLE = "tallyman"
SETTINGS = {
    "listen_addresses": HOST,
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "50",
    "shared_buffers": "32MB",
}


class Postgresql:
    """One cluster with one superuser and one database, both `tallyman`; `url` is its DATABASE_URL.

    Connections from loopback are trusted. It refuses to run as root, so root runs it as Debian's user `postgres`.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self._user = "postgres" if os.geteuid() == 0 else None
        self._folder = Path()
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}@{HOST}:{self.port}/{ROLE}"

    def __enter__(self) -> Self:
        server = program("postgres", package="postgresql", folders=BINARIES)
        # Not in pytest's folder, which another user may not enter; its path is short enough for a socket too.
        self._folder = Path(tempfile.mkdtemp(prefix="tallyman-postgresql-"))
        if self._user:
            shutil.chown(self._folder, self._user, self._user)
        self._run("initdb", "-D", self._data, "-U", ROLE, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        settings = SETTINGS | {"port": str(self.port), "unix_socket_directories": str(self._folder)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = Process(
            [server, "-D", self._data, *options],
            log=self._folder / "postgresql.log",
            user=self._user,
            stop_signal=signal.SIGINT,  # a fast shutdown: it does not wait for clients to leave
        )
        self._process.wait_until_ready(self._takes_connections)
        self._run("createdb", "-h", HOST, "-p", str(self.port), "-U", ROLE, ROLE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop()
        shutil.rmtree(self._folder)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _takes_connections(self) -> bool:
        command = [_binary("pg_isready"), "-q", "-h", HOST, "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, name: str, *arguments: str | Path) -> None:
        finished = subprocess.run(
            [_binary(name), *arguments],
            cwd=self._folder,
            user=self._user,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert finished.returncode == 0, f"{name} failed: {finished.stderr}"


def _binary(name: str) -> str:
    return program(name, package="postgresql", folders=BINARIES)
