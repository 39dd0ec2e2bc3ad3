"""The DICOM listener as shipped: in a process of its own, and inside `serve`."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.conftest import Shell
from tests.acceptance.installation import Server
from tests.certificates import CertificateAuthority
from tests.fakes.archive import Archive
from tests.fakes.commitment import Report
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from tests.peers.process import is_listening
from transfers.endpoints import DicomEndpoint, TlsSettings
from transfers.errors import AssociationRejected
from transfers.wire.association import Association
from transfers.wire.dimse import VERIFICATION_CONTEXT, echo

STOP_SECONDS = 10.0
REPORT = Report("2.25.7", (("1.2.840.10008.5.1.4.1.1.2", "1.2.3"),))


def port_of(shell: Shell) -> int:
    return int(shell.environment["DICOM_PORT"])


def started(shell: Shell) -> subprocess.Popen[str]:
    """A listener's process, once it listens."""
    process = shell.start("run_listener")
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(f"DICOM listener TALLYMAN on 127.0.0.1:{port_of(shell)}"), process.communicate()
    return process


def echoed(
    shell: Shell, calling_ae_title: str, called_ae_title: str = "TALLYMAN", tls: TlsSettings | None = None
) -> int:
    endpoint = DicomEndpoint("127.0.0.1", port_of(shell), called_ae_title, calling_ae_title, tls=tls)
    with Association.open(endpoint, [VERIFICATION_CONTEXT]) as association:
        return echo(association)


def status_of_report(peer: Archive) -> int | None:
    peer.report(REPORT)
    peer.wait_until(lambda peer: bool(peer.log.reports) and peer.log.reports[-1].tries > 0)
    peer.wait_until(lambda peer: peer.log.reports[-1].status_code is not None or bool(peer.log.reports[-1].problem))
    return peer.log.reports[-1].status_code


@pytest.fixture
def taken_port(shell: Shell) -> Iterator[int]:
    """That of the listener, by something else."""
    with closing(socket.create_server(("127.0.0.1", port_of(shell)))):
        yield port_of(shell)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["sigterm", "ctrl-c"])
def test_it_listens_until_it_is_told_to_stop(shell: Shell, number: signal.Signals) -> None:
    process = started(shell)
    with socket.create_connection(("127.0.0.1", port_of(shell))):
        process.send_signal(number)
        begun = time.monotonic()
        _, errors = process.communicate(timeout=STOP_SECONDS)

    assert (process.returncode, errors) == (0, "")
    assert time.monotonic() - begun < STOP_SECONDS
    assert not is_listening(port_of(shell))


def test_a_destination_that_is_added_while_it_runs_may_connect(shell: Shell, archive: MakeArchive) -> None:
    peer = archive(Script(reports_to=port_of(shell)))
    started(shell)
    with pytest.raises(AssociationRejected, match="calling AE title not recognised"):
        echoed(shell, "SCRIPTED")

    shell.add_destination("archive", peer.port, "SCRIPTED")

    assert echoed(shell, "SCRIPTED") == 0x0000
    assert status_of_report(peer) == 0x0000
    with pytest.raises(AssociationRejected, match="called AE title not recognised"):
        echoed(shell, "SCRIPTED", "SOMEBODY")


def test_anybody_may_connect_where_it_is_lenient(shell: Shell) -> None:
    shell.environment["LISTENER_LENIENT"] = "yes"
    started(shell)

    assert echoed(shell, "STRANGER", "WHOEVER") == 0x0000


def test_it_speaks_tls_where_it_has_a_certificate(shell: Shell, tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    identity = authority.issue("listener")
    shell.environment |= {
        "LISTENER_LENIENT": "yes",
        "LISTENER_TLS_CERTIFICATE": str(identity.certificate),
        "LISTENER_TLS_KEY": str(identity.key),
    }
    process = shell.start("run_listener")
    assert process.stdout is not None
    assert "with TLS" in process.stdout.readline()

    assert echoed(shell, "STRANGER", tls=TlsSettings(str(authority.certificate))) == 0x0000


def test_a_port_that_is_taken_is_named(shell: Shell, taken_port: int) -> None:
    ran = shell.run("run_listener")

    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"Port {taken_port} cannot be listened on for DICOM (Address already in use)" in ran.stderr


def test_a_certificate_that_cannot_be_used_is_named(shell: Shell) -> None:
    shell.environment["LISTENER_TLS_CERTIFICATE"] = "/nowhere.pem"

    ran = shell.run("run_listener")

    assert ran.returncode == 2
    assert "/nowhere.pem" in ran.stderr


def test_serve_listens_too(shell: Shell, archive: MakeArchive) -> None:
    peer = archive(Script(reports_to=port_of(shell)))
    server = Server(shell)
    shell.add_destination("archive", peer.port, "SCRIPTED")

    assert re.search(rf"^DICOM listener TALLYMAN on 127\.0\.0\.1:{port_of(shell)}$", server.printed, re.MULTILINE)
    assert status_of_report(peer) == 0x0000

    server.process.terminate()
    server.process.communicate(timeout=20)
    assert not is_listening(port_of(shell))


def test_serve_goes_on_where_the_port_is_taken_and_says_so(shell: Shell, taken_port: int) -> None:
    server = Server(shell)
    with socket.create_connection(("127.0.0.1", int(server.address.rpartition(":")[2]))):
        pass

    server.process.terminate()
    _, errors = server.process.communicate(timeout=20)

    assert server.process.returncode == 0
    assert f"Warning: Port {taken_port} cannot be listened on" in errors
    assert "run_listener" in errors
