"""The product as shipped, served by a process of its own, with people who log in to it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from threading import Thread
from typing import IO, Any

from playwright.sync_api import BrowserContext, Page

from tests.acceptance.conftest import ROOT, Shell

PASSWORD = "a long enough password"
READY_SECONDS = 40.0
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


class Site:
    """`manage.py serve` on a free port, with its data folder, an operator, a viewer and an admin."""

    def __init__(self, data_folder: Path, import_root: Path) -> None:
        self.shell = Shell(data_folder)
        self.shell.environment |= {"IMPORT_ROOTS": str(import_root), "WORKER_CONCURRENCY": "2"}
        self.data_folder, self.import_root = data_folder, import_root
        self.port = 0
        self._token = ""
        self._process: subprocess.Popen[str] | None = None

    def create_people(self) -> None:
        """Before it is started: each with the same password."""
        script = (
            "from django.contrib.auth.models import Group, User\n"
            f"password = {PASSWORD!r}\n"
            "User.objects.create_superuser('admin', password=password)\n"
            "User.objects.create_user('operator', password=password)\n"
            "User.objects.create_user('viewer', password=password).groups.add(Group.objects.get(name='Viewers'))\n"
        )
        self._manage("migrate", "-v0")
        self._manage("shell", "-v0", "-c", script)
        self._token = self._manage("create_api_token", "operator").strip()

    def submit(self, folder: Path, destination: str, *, start: bool = True) -> str:
        """Have a folder sent by the API, as a program would; the id of its one transfer, once there is one."""
        asked = {"destination": destination, "path": str(folder), "start": start}
        batch = self._call("batches/", asked)["id"]
        deadline = time.monotonic() + READY_SECONDS
        while not (found := self._call(f"transfers/?batch={batch}")["results"]):
            assert time.monotonic() < deadline, self._call(f"batches/{batch}/")
            time.sleep(0.05)
        return str(found[0]["id"])

    def batch_of(self, transfer: str) -> str:
        """The id of what a transfer was submitted with."""
        return str(self._call(f"transfers/{transfer}/")["batch"])

    def uploads(self) -> list[dict[str, Any]]:
        """What the operator uploaded and is kept, the newest first."""
        return list(self._call("uploads/")["results"])

    def wait_until(self, transfer: str, state: str) -> None:
        """Until a transfer is in this state, as the API tells it."""
        deadline = time.monotonic() + READY_SECONDS
        while (found := self._call(f"transfers/{transfer}/"))["state"] != state:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def _call(self, address: str, body: Any = None) -> Any:
        request = urllib.request.Request(  # noqa: S310
            f"{self.address}/api/v1/{address}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Token {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def _manage(self, *arguments: str) -> str:
        done = self.shell.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        """Start it, or start it again on the port that it had."""
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port)]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | self.shell.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        self._printed = Printed(self._process.stdout)
        self.port = int(self._printed.wait_for(ADDRESS)[1])

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._printed.join()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=10)
        self._printed.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log_in(self, context: BrowserContext, name: str = "operator") -> Page:
        """A page of somebody who has just logged in."""
        page = context.new_page()
        page.goto(f"{self.address}/account/login/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/transfers/")
        return page


class Printed:
    """What a process prints, read on so that it never waits for a reader."""

    def __init__(self, stream: IO[str]) -> None:
        self._lines: list[str] = []
        self._thread = Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def wait_for(self, pattern: re.Pattern[str]) -> re.Match[str]:
        deadline = time.monotonic() + READY_SECONDS
        while not (found := pattern.search("".join(self._lines))):
            assert time.monotonic() < deadline, "it was not ready; it printed:\n" + "".join(self._lines)
            time.sleep(0.02)
        return found

    def join(self) -> None:
        """Until the process has ended, and all of it is read."""
        self._thread.join(10)

    def _read(self, stream: IO[str]) -> None:
        with stream:
            self._lines.extend(stream)
