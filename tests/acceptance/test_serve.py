"""`manage.py serve`: pages, websockets and a worker in one process, which ends in time whatever is under way."""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.acceptance.conftest import Shell
from tests.acceptance.installation import Installation, Server
from tests.datasets import write_study
from tests.fakes.acts import Answer, Silence
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script

INSTANCES = 200


@pytest.fixture
def installation(shell: Shell, tmp_path: Path) -> Installation:
    """SQLite and doorbells within the process."""
    root = tmp_path / "import"
    root.mkdir()
    return Installation(shell, root)


def end(server: Server, number: signal.Signals = signal.SIGTERM) -> tuple[int, float, str]:
    """Exit status, seconds it took, and what it wrote to standard error."""
    begun = time.monotonic()
    server.process.send_signal(number)
    _, errors = server.process.communicate(timeout=20)
    return server.process.returncode, time.monotonic() - begun, errors


def read_to_its_end(websocket: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        while True:
            websocket.recv(timeout=10)


def test_it_answers_once_it_says_so_and_says_how_to_get_a_first_user(shell: Shell) -> None:
    server = Server(shell)

    answer = requests.get(server.address, timeout=10)

    assert answer.status_code == 200
    assert answer.url.startswith(f"{server.address}/account/login/")
    assert "server" not in answer.headers
    assert "manage.py createsuperuser" in server.printed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_where_nothing_is_under_way(shell: Shell, number: signal.Signals) -> None:
    server = Server(shell)

    exit_code, seconds, errors = end(server, number)

    assert (exit_code, errors) == (0, "")
    assert seconds < 5


def test_a_port_that_is_taken_is_said_so_before_anything_begins(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = shell.run("serve", "--port", str(taken.getsockname()[1]))

    assert ran.returncode == 2
    assert "--port" in ran.stderr
    assert "Tallyman on" not in ran.stdout


@pytest.mark.parametrize("port", ["-1", "70000"])
def test_what_is_no_port_is_refused(shell: Shell, port: str) -> None:
    ran = shell.run("serve", f"--port={port}")

    assert ran.returncode == 2
    assert "is not a port" in ran.stderr


def test_another_address_of_this_machine_can_be_served(shell: Shell) -> None:
    server = Server(shell, "serve", "--host", "localhost", "--port", "0")

    assert requests.get(server.address, timeout=10).status_code == 200


def test_what_is_submitted_is_sent_by_the_same_process(installation: Installation, archive: MakeArchive) -> None:
    peer = archive()
    installation.shell.add_destination("pacs", peer.port, peer.ae_title)
    write_study(installation.import_root, 5)
    server = Server(installation.shell)

    submitted = requests.post(
        f"{server.address}/api/v1/batches/",
        json={"destination": "pacs", "path": str(installation.import_root)},
        headers=authorization(installation),
        timeout=10,
    )

    assert submitted.status_code == 202, submitted.text
    installation.wait_until_all_are("finished")
    assert installation.transfers() == [("finished", "committed")]


def test_it_ends_in_time_with_websockets_open_and_a_send_under_way(
    installation: Installation, archive: MakeArchive
) -> None:
    peer = archive(Script(on_store=Answer(delay_seconds=0.05)))
    installation.shell.add_destination("slow", peer.port, peer.ae_title, "--associations", "1")
    write_study(installation.import_root, INSTANCES)
    server = Server(installation.shell)
    address = server.address.replace("http", "ws") + "/ws/transfers/"
    installation.submit("slow", installation.import_root)
    peer.wait_until(lambda peer: len(peer.log.answers) >= 10, seconds=30)

    with connect(address, additional_headers=authorization(installation)) as websocket:
        first = websocket.recv(timeout=10)
        exit_code, seconds, errors = end(server)
        read_to_its_end(websocket)

    assert "snapshot" in str(first)
    assert (exit_code, errors) == (0, "")
    assert seconds < 12
    assert installation.transfers() == [("queued", "pending")]
    assert len(peer.log.answers) < INSTANCES


def test_it_ends_in_time_though_a_request_waits_for_an_archive_that_does_not_answer(
    installation: Installation, archive: MakeArchive
) -> None:
    silent = archive(Script(on_association=Silence()))
    installation.shell.add_destination("silent", silent.port, silent.ae_title, "--acse-timeout-seconds", "300")
    server = Server(installation.shell)
    check = f"{server.address}/api/v1/destinations/silent/check/"
    headers = authorization(installation)

    def wait_for_the_answer() -> None:
        with suppress(requests.ConnectionError):
            requests.post(check, headers=headers, timeout=60)

    waiting = threading.Thread(target=wait_for_the_answer)
    waiting.start()
    silent.wait_until(lambda peer: bool(peer.log.associations))
    exit_code, seconds, _ = end(server)
    waiting.join()

    assert exit_code == 0
    assert seconds < 15


def test_what_it_handed_back_goes_on_when_it_is_served_again(installation: Installation, archive: MakeArchive) -> None:
    peer = archive(Script(on_store=Answer(delay_seconds=0.02)))
    installation.shell.add_destination("slow", peer.port, peer.ae_title, "--associations", "1")
    write_study(installation.import_root, 60)
    first = Server(installation.shell)
    installation.submit("slow", installation.import_root)
    peer.wait_until(lambda peer: len(peer.log.answers) >= 10, seconds=30)
    end(first)
    left = installation.transfers()

    Server(installation.shell)
    installation.wait_until_all_are("finished")

    assert left == [("queued", "pending")]
    assert installation.transfers() == [("finished", "committed")]
    assert len(peer.log.requests) == len(set(peer.log.requests)) == 60


def test_a_second_signal_breaks_off(installation: Installation, archive: MakeArchive) -> None:
    peer = archive(Script(on_store=Answer(delay_seconds=0.05)))
    installation.shell.add_destination("slow", peer.port, peer.ae_title, "--associations", "1")
    write_study(installation.import_root, INSTANCES)
    server = Server(installation.shell)
    installation.submit("slow", installation.import_root)
    peer.wait_until(lambda peer: len(peer.log.answers) >= 10, seconds=30)

    server.process.send_signal(signal.SIGTERM)
    exit_code, seconds, errors = end(server, signal.SIGINT)

    assert exit_code == 130
    assert seconds < 3
    assert "Broken off at once" in errors


def authorization(installation: Installation) -> dict[str, str]:
    """Of the user that batches are submitted by."""
    installation.submit("nowhere")  # makes that user, and submits nothing
    made = installation.shell.run("create_api_token", "operator")
    assert made.returncode == 0, made.stderr
    return {"Authorization": f"Token {made.stdout.strip()}"}
