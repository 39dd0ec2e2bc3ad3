"""The product as shipped: `manage.py` in processes of its own, with a data folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.process import free_port

ROOT = Path(__file__).resolve().parents[2]


class Shell:
    """Runs our commands as a person at a shell does."""

    def __init__(self, data_folder: Path) -> None:
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "TALLYMAN_DATA_DIR": str(data_folder),
            "DICOM_PORT": str(free_port()),
            "LISTENER_HOST": "127.0.0.1",
        }
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def add_destination(self, name: str, port: int, ae_title: str, *options: str) -> None:
        address = ["--host", "127.0.0.1", "--port", str(port), "--ae-title", ae_title]
        patience = ["--presence-settle-seconds", "0.3", "--probe-retry-seconds", "0.5"]
        added = self.run("destination", "add", name, "--kind", "dicom", *address, *patience, *options)
        assert added.returncode == 0, added.stderr

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path / "data")
    yield shell
    shell.end()


def transfer_of(output: str) -> dict[str, Any]:
    """The one transfer of the one JSON document that was printed."""
    (transfer,) = json.loads(output)["transfers"]
    return dict(transfer)
