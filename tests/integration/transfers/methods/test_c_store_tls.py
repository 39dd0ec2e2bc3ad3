"""C-STORE over TLS: the same loop, with the faults that TLS adds."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind
from tests.certificates import CertificateAuthority
from tests.datasets import data_set_bytes, write_study
from tests.entries import entries_of
from tests.fakes.acts import Abort, Silence
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from tests.integration.transfers.methods.sending import PATIENT, SOON, Sent, send
from transfers.endpoints import Timeouts, TlsSettings
from transfers.methods.base import ReconnectPolicy

ACKNOWLEDGED = [EvidenceKind.SENT, EvidenceKind.ACKNOWLEDGED]
ONCE = ReconnectPolicy(attempts=1)


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


def send_over_tls(
    peer: Archive, entries: list[ManifestEntry], settings: TlsSettings, timeouts: Timeouts = PATIENT
) -> Sent:
    return send(replace(peer.endpoint(timeouts=timeouts, associations=2), tls=settings), entries, policy=ONCE)


@pytest.mark.parametrize("minimum_version", ["1.2", "1.3"])
def test_instances_larger_than_the_buffer_arrive_whole(
    archive: MakeArchive, authority: CertificateAuthority, tmp_path: Path, minimum_version: str
) -> None:
    peer = archive(tls=authority.server_context(authority.issue("server")))
    paths = write_study(tmp_path, 4, size_bytes=3_000_000)
    entries = entries_of(paths)

    sent = send_over_tls(peer, entries, TlsSettings(str(authority.certificate), minimum_version=minimum_version))

    assert [sent.of(entry) for entry in entries] == [ACKNOWLEDGED] * 4
    for entry, path in zip(entries, paths, strict=True):
        assert peer.stored[entry.sop_instance_uid].data_set == data_set_bytes(path)


def test_an_association_that_is_aborted_over_tls_says_so(
    archive: MakeArchive, authority: CertificateAuthority, tmp_path: Path
) -> None:
    peer = archive(Script(on_store={1: Abort()}), tls=authority.server_context(authority.issue("server")))
    entries = entries_of(write_study(tmp_path, 2))

    sent = send(replace(peer.endpoint(), tls=TlsSettings(str(authority.certificate))), entries)

    assert sent.codes() == ["association_aborted"]
    assert sent.of(entries[0])[-2:] == ACKNOWLEDGED


def test_a_destination_that_stops_reading_over_tls_is_noticed(
    archive: MakeArchive, authority: CertificateAuthority, tmp_path: Path
) -> None:
    peer = archive(Script(on_store=Silence(early=True)), tls=authority.server_context(authority.issue("server")))
    entries = entries_of(write_study(tmp_path, 1, size_bytes=40_000_000))

    sent = send_over_tls(peer, entries, TlsSettings(str(authority.certificate)), SOON)

    assert sent.codes()[0] == "network_timed_out"


@pytest.mark.parametrize("certificate", ["of another CA", "for another host", "expired"])
def test_a_certificate_that_does_not_fit_stops_everything(
    archive: MakeArchive, authority: CertificateAuthority, tmp_path: Path, certificate: str
) -> None:
    (tmp_path / "other").mkdir()
    other = CertificateAuthority(tmp_path / "other", "Another CA")
    identities = {
        "of another CA": lambda: other.issue("server"),
        "for another host": lambda: authority.issue("server", address="127.0.0.2"),
        "expired": lambda: authority.issue("server", is_expired=True),
    }
    peer = archive(tls=authority.server_context(identities[certificate]()))
    entries = entries_of(write_study(tmp_path, 1))

    sent = send_over_tls(peer, entries, TlsSettings(str(authority.certificate)))

    assert sent.of(entries[0]) == [EvidenceKind.NOT_SENT]
    assert sent.codes() == ["tls_failed"]
    assert peer.log.requests == []


def test_a_certificate_for_another_host_is_taken_where_that_is_not_checked(
    archive: MakeArchive, authority: CertificateAuthority, tmp_path: Path
) -> None:
    peer = archive(tls=authority.server_context(authority.issue("server", address="127.0.0.2")))
    entries = entries_of(write_study(tmp_path, 1))

    sent = send_over_tls(peer, entries, TlsSettings(str(authority.certificate), check_hostname=False))

    assert sent.of(entries[0]) == ACKNOWLEDGED


def test_a_peer_that_is_too_old_is_refused(
    archive: MakeArchive, authority: CertificateAuthority, tmp_path: Path
) -> None:
    context = authority.server_context(authority.issue("server"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    entries = entries_of(write_study(tmp_path, 1))

    sent = send_over_tls(archive(tls=context), entries, TlsSettings(str(authority.certificate), minimum_version="1.3"))

    assert sent.codes() == ["tls_failed"]


def test_a_client_certificate_that_is_asked_for_must_be_shown(
    archive: MakeArchive, authority: CertificateAuthority, tmp_path: Path
) -> None:
    client = authority.issue("client")
    context = authority.server_context(authority.issue("server"), asks_for_certificate=True)
    peer = archive(tls=context)
    entries = entries_of(write_study(tmp_path, 1))
    settings = TlsSettings(str(authority.certificate))

    without = send_over_tls(peer, entries, settings)
    with_it = send_over_tls(
        peer, entries, replace(settings, certificate_file=str(client.certificate), key_file=str(client.key))
    )

    assert without.of(entries[0]) == [EvidenceKind.NOT_SENT]
    assert without.codes()[0] in {"tls_failed", "association_lost"}
    assert with_it.of(entries[0]) == ACKNOWLEDGED


def test_tls_to_a_port_without_it_is_said_to_be_so(
    archive: MakeArchive, authority: CertificateAuthority, tmp_path: Path
) -> None:
    peer = archive()
    entries = entries_of(write_study(tmp_path, 1))
    short = replace(SOON, connect_seconds=0.5)
    endpoint = replace(peer.endpoint(timeouts=short), tls=TlsSettings(str(authority.certificate)))

    sent = send(endpoint, entries, policy=ONCE)

    assert sent.codes() == ["tls_failed"]


def test_a_port_with_tls_asked_without_it_is_an_error_with_a_name(
    archive: MakeArchive, authority: CertificateAuthority, tmp_path: Path
) -> None:
    peer = archive(tls=authority.server_context(authority.issue("server")))
    entries = entries_of(write_study(tmp_path, 1))

    sent = send(peer.endpoint(timeouts=SOON), entries, policy=ONCE)

    assert sent.of(entries[0]) == [EvidenceKind.NOT_SENT]
    assert sent.codes()[0] in {"malformed_pdu", "association_lost", "association_timed_out"}


@pytest.mark.parametrize("field", ["ca_file", "certificate_file", "key_file"])
def test_a_file_of_the_settings_that_cannot_be_used_is_named(
    archive: MakeArchive, authority: CertificateAuthority, tmp_path: Path, field: str
) -> None:
    client = authority.issue("client")
    good = TlsSettings(str(authority.certificate), str(client.certificate), str(client.key))
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no PEM")
    peer = archive(tls=authority.server_context(authority.issue("server")))

    for value in (str(wrong), "/no/such/file.pem"):
        sent = send_over_tls(peer, entries_of(write_study(tmp_path, 1)), replace(good, **{field: value}))  # type: ignore[arg-type]

        assert sent.codes() == ["tls_failed"]
        assert value in sent.occurrences[0].detail["reason"]
