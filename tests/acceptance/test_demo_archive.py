"""`manage.py demo_archive` as it is shipped: a process that says where it listens, and ends when it is told to."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Queue
from types import SimpleNamespace

import pytest

from tests.datasets import data_set_bytes, write_instance
from tests.fakes.fixtures import Request
from transfers.endpoints import DicomEndpoint
from transfers.wire.association import Association
from transfers.wire.commitment import COMMITMENT_CONTEXT, Reference, request_commitment
from transfers.wire.report_server import ReceivedReport, ReportServer

ROOT = Path(__file__).parents[2]
LISTENING = re.compile(r"Demo archive (\S+) listening on (127\.0\.0\.1):(\d+), storing to (.+)\n")


@pytest.fixture(autouse=True)
def _as_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "project.settings")
    monkeypatch.setenv("TALLYMAN_DATA_DIR", str(tmp_path / "data"))


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), "demo_archive", *map(str, arguments)]


@contextmanager
def running(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], SimpleNamespace]]:
    """The process, and what it says of itself."""
    with subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = LISTENING.fullmatch(process.stdout.readline())
            assert said, process.communicate(timeout=10)
            yield process, SimpleNamespace(ae_title=said[1], host=said[2], port=int(said[3]), folder=Path(said[4]))
        finally:
            process.kill()


def refusal(*arguments: str | Path) -> str:
    """What it says where it does not start."""
    finished = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=30)
    assert finished.returncode == 2
    assert finished.stdout == ""
    return finished.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["sigterm", "ctrl-c"])
def test_it_says_where_it_listens_and_ends_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    with running("--port", "0", "--folder", tmp_path / "new", "--ae-title", "MYDEMO") as (process, peer):
        assert (peer.ae_title, peer.folder) == ("MYDEMO", tmp_path / "new")

        process.send_signal(number)

        assert process.wait(timeout=10) == 0
        assert process.communicate() == ("", "")


def test_it_stores_even_a_private_sop_class(tmp_path: Path, request_of: Request) -> None:
    private = "1.2.826.0.1.3680043.9.3811.99"
    path = write_instance(tmp_path, sop_instance_uid="2.25.1", sop_class_uid=private)

    with running("--port", "0", "--folder", tmp_path / "new") as (_, peer):
        requestor = request_of(peer, private)
        requestor.associate()
        status_code = requestor.store(path, "2.25.1")

    (stored,) = (tmp_path / "new").rglob("*.dcm")
    assert status_code == 0x0000
    assert data_set_bytes(stored) == data_set_bytes(path)


def test_a_port_in_use_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]

        message = refusal("--port", str(port), "--folder", tmp_path)

    assert message == (
        f"CommandError: Port {port} is in use. Give another with --port (0: one that is free), "
        "or end the program that listens there.\n"
    )


def test_a_folder_that_cannot_be_written_to_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    message = refusal("--port", "0", "--folder", file / "below")

    assert message.startswith(
        f"CommandError: {file / 'below'} cannot be written to (Not a directory). Give another folder"
    )


def test_what_is_no_port_and_no_ae_title_is_refused(tmp_path: Path) -> None:
    assert "70000 is not a port" in refusal("--port", "70000", "--folder", tmp_path)
    assert "at most 16 characters" in refusal("--port", "0", "--folder", tmp_path, "--ae-title", "A" * 17)


@pytest.mark.parametrize("where", ["ME", "ME=host", "ME=host:http", "ME=:104", "ME=host:0", "=host:104"])
def test_where_to_report_to_is_told_in_one_way(tmp_path: Path, where: str) -> None:
    assert "AET=HOST:PORT" in refusal("--port", "0", "--folder", tmp_path, "--report-to", where)


def test_it_reports_where_it_is_told_to(tmp_path: Path) -> None:
    reports: Queue[ReceivedReport] = Queue()

    with ReportServer(reports.put, host="127.0.0.1") as listener:
        address = f"ME=127.0.0.1:{listener.port}"
        with running("--port", "0", "--folder", tmp_path / "new", "--report-to", address) as (_, peer):
            endpoint = DicomEndpoint(peer.host, peer.port, peer.ae_title, "ME")
            with Association.open(endpoint, [COMMITMENT_CONTEXT]) as association:
                request_commitment(association, "1.2.3", [Reference("1.2", "1.2.4")])
            received = reports.get(timeout=15)

    assert received.report.failed == (("1.2", "1.2.4", 0x0112),)
