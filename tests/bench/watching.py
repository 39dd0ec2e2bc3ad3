"""What 20 browsers cost that watch a study go out: `python -m tests.bench.watching`.

`manage.py serve` runs as shipped: pages, sockets and the worker share one process. The same study is sent again and
again, in turn with nobody watching and with 20 sockets open on its transfer, as 20 browsers that show its page have
them; they are read by a process of their own, on the same two cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from tests.acceptance.browser.site import ADDRESS, Printed
from tests.bench.peers import DESTINATIONS, Destination, Running
from tests.bench.studies import Study, create_study

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = 20
RUNS = 7
INSTANCES = 2_000
SIZE_BYTES = 8_192


def main() -> None:
    print(f"Instances per second while {BROWSERS} browsers watch, beside nobody watching; medians of {RUNS}.")
    print(f"{'':<48}{'nobody':>12}{f'{BROWSERS} watch':>12}{'lost':>8}{'messages each':>16}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = create_study(folder / "study", "8 KB", INSTANCES, SIZE_BYTES)
        for destination in DESTINATIONS[1:3]:
            with destination.running(folder) as running, _Site(folder / f"data-{running.endpoint.port}", study) as site:
                site.add_destination(running)
                _measure(destination, running, site)


def _measure(destination: Destination, running: Running, site: _Site) -> None:
    """In turn, so that whatever else the machine does meets both alike."""
    alone, watched, messages = [], [], []
    for _ in range(RUNS):
        running.forget()
        alone.append(site.send_seconds())
        running.forget()
        with site.watched() as count_messages:
            watched.append(site.send_seconds())
            messages.append(count_messages() / BROWSERS)
    rates = [INSTANCES / median(seconds) for seconds in (alone, watched)]
    lost = 1 - rates[1] / rates[0]
    print(
        f"{destination.label:<48}{rates[0]:>12,.0f}{rates[1]:>12,.0f}{lost:>8.1%}{median(messages):>16.0f}", flush=True
    )


class _Site:
    """`manage.py serve` with a token for its API."""

    def __init__(self, data_folder: Path, study: Study) -> None:
        self._folder = study.folder
        self._environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "TALLYMAN_DATA_DIR": str(data_folder),
            "IMPORT_ROOTS": str(study.folder.parent),
            "DJANGO_SUPERUSER_PASSWORD": "a long enough password",
        }
        self._watched = False
        self._count = 0
        self._stack = ExitStack()

    def __enter__(self) -> _Site:
        self._manage("migrate", "-v0")
        self._manage("createsuperuser", "--noinput", "--username", "bench", "--email", "bench@localhost")
        self._token = self._manage("create_api_token", "bench").strip()
        command = [sys.executable, "manage.py", "serve", "--port", "0"]
        server = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, text=True)
        self._stack.callback(server.wait, 30)
        self._stack.callback(server.terminate)
        assert server.stdout is not None
        self._port = Printed(server.stdout).wait_for(ADDRESS)[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add_destination(self, running: Running) -> None:
        endpoint = running.endpoint
        address = ["--host", endpoint.host, "--port", str(endpoint.port), "--ae-title", endpoint.called_ae_title]
        self._manage("destination", "add", "peer", "--kind", "dicom", "--verify", running.probe, *address)

    @contextmanager
    def watched(self) -> Iterator[Any]:
        """From now on every transfer is watched; gives how to ask for the number of messages that came."""
        self._watched = True
        try:
            yield lambda: self._count
        finally:
            self._watched = False

    def send_seconds(self) -> float:
        """A draft first, so that whoever watches is there before the first byte."""
        batch = self._call("batches/", {"destination": "peer", "path": str(self._folder), "start": False})
        batch = self._until(f"batches/{batch['id']}/", lambda batch: batch["state"] == "draft")
        (transfer,) = self._call(f"transfers/?batch={batch['id']}")["results"]
        watchers = self._start_watchers(transfer["id"]) if self._watched else None
        self._call(f"batches/{batch['id']}/start/", {})
        self._until(f"transfers/{transfer['id']}/", lambda transfer: transfer["state"] == "finished")
        if watchers is not None:
            assert watchers.stdin is not None
            output, _ = watchers.communicate("end\n", timeout=30)
            self._count = int(output.split()[-1])
        return self._sending_seconds(transfer["id"])

    def _start_watchers(self, transfer: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.bench.watchers", self._port, self._token, transfer, str(BROWSERS)]
        watchers = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert watchers.stdout is not None
        assert watchers.stdout.readline().strip() == "watching"
        return watchers

    def _sending_seconds(self, transfer: str) -> float:
        """From the state `sending` to the next, as the transfer's events have it."""
        events = self._call(f"transfers/{transfer}/events/?page_size=200")["results"]
        moved = {each["detail"]["after"]: each["at"] for each in events if each["name"] == "state_changed"}
        began_at, ended_at = (
            _seconds(moved["sending"]),
            _seconds(moved["verifying"] if "verifying" in moved else moved["finished"]),
        )
        return ended_at - began_at

    def _until(self, address: str, is_so: Any) -> Any:
        deadline = time.monotonic() + 120
        while not is_so(found := self._call(address)):
            assert time.monotonic() < deadline, found
            time.sleep(0.5)  # seldom: this is no part of what is measured
        return found

    def _call(self, address: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/api/v1/{address}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Token {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def _manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self._environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout


def _seconds(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()


if __name__ == "__main__":
    main()
