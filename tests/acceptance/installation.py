"""Tallyman as several processes over one database: what a test sets going, and what it sees of it."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from tests.acceptance.conftest import Shell

SUBMIT = """
from django.contrib.auth.models import User
from transfers.models import Destination
from transfers.submissions import Submission, submit
user, _ = User.objects.get_or_create(username="operator")
for path in {paths!r}:
    submit(Submission(Destination.objects.get(name={destination!r}), path=path), by=user)
"""
CANCEL = """
from transfers import services
from transfers.models import Transfer
for transfer in Transfer.objects.all():
    services.cancel(transfer, by="operator")
"""


class Installation:
    """Workers and web servers of one database, over a folder that may be imported from."""

    def __init__(self, shell: Shell, import_root: Path, *, database_url: str = "", redis_url: str = "") -> None:
        self.shell = shell
        self.import_root = import_root
        shell.environment |= {"IMPORT_ROOTS": str(import_root), "DATABASE_URL": database_url, "REDIS_URL": redis_url}
        migrated = shell.run("migrate", "--verbosity", "0")
        assert migrated.returncode == 0, migrated.stderr
        self._database_url = database_url
        self._file = Path(shell.environment["TALLYMAN_DATA_DIR"]) / "tallyman.sqlite3"

    def worker(self) -> subprocess.Popen[str]:
        """A worker's process, once it is ready."""
        process = self.shell.start("run_transfer_worker")
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        return process

    def submit(self, destination: str, *folders: Path) -> None:
        paths = [str(folder) for folder in folders]
        self._python(SUBMIT.format(paths=paths, destination=destination))

    def cancel(self) -> None:
        """Cancel every transfer."""
        self._python(CANCEL)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says at this moment."""
        if self._database_url:
            with psycopg.connect(self._database_url) as server:
                return server.execute(query).fetchall()
        with closing(sqlite3.connect(self._file, timeout=30)) as file:
            return file.execute(query).fetchall()

    def transfers(self) -> list[tuple[str, str]]:
        """State and verdict of each, the oldest first."""
        return self.rows("SELECT state, verdict FROM transfers_transfer ORDER BY id")

    def wait_until(self, is_so: Callable[[], bool], seconds: float = 40.0) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, self.transfers()
            time.sleep(0.05)

    def wait_until_all_are(self, state: str, count: int = 1) -> None:
        self.wait_until(lambda: [found for found, _ in self.transfers()] == [state] * count)

    def _python(self, code: str) -> None:
        ran = self.shell.run("shell", "--verbosity", "0", "-c", code)
        assert ran.returncode == 0, ran.stderr


class Server:
    """`manage.py serve`, once it answers; `address` is what it printed."""

    def __init__(self, shell: Shell, *arguments: str) -> None:
        self.process = shell.start(*(arguments or ("serve", "--port", "0")))
        self.printed = ""
        while (found := re.search(r"Tallyman on (http://\S+)", self.printed)) is None:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, self.process.communicate()
            self.printed += line
        self.address = found[1]
