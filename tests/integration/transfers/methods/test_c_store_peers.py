"""Sending to the archives and tools that people have: dcmtk's storescp and Orthanc, plain and over TLS."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind
from tests.certificates import CertificateAuthority
from tests.datasets import data_set_bytes, write_instance, write_study
from tests.entries import entries_of, entry_of
from tests.integration.transfers.methods.sending import PATIENT, POLICY, Sent, send
from tests.peers.orthanc import Orthanc
from tests.peers.storescp import NO_DELAY, Storescp
from transfers.endpoints import DicomEndpoint, TlsSettings
from transfers.methods.base import SendContext
from transfers.methods.c_store import CStore

ACKNOWLEDGED = [EvidenceKind.SENT, EvidenceKind.ACKNOWLEDGED]
StartStorescp = Callable[..., Storescp]


@pytest.fixture
def start_storescp(tmp_path: Path) -> Iterator[StartStorescp]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Storescp(tmp_path / "received", **settings))


def endpoint_of(peer: Storescp | Orthanc, *, associations: int = 1, tls: TlsSettings | None = None) -> DicomEndpoint:
    return DicomEndpoint(
        peer.host, peer.port, peer.ae_title, "TALLYMAN", tls=tls, timeouts=PATIENT, associations=associations
    )


def assert_all_acknowledged(sent: Sent, entries: list[ManifestEntry]) -> None:
    assert [sent.of(entry) for entry in entries] == [ACKNOWLEDGED] * len(entries)


def digests(paths: list[Path]) -> set[str]:
    return {hashlib.sha256(data_set_bytes(path)).hexdigest() for path in paths}


@pytest.mark.parametrize("maximum_length", [4096, 16384, 131072])
@pytest.mark.parametrize("environment", [{}, NO_DELAY], ids=["stock", "no delay"])
def test_storescp_writes_what_was_sent_bit_by_bit(
    tmp_path: Path, start_storescp: StartStorescp, maximum_length: int, environment: dict[str, str]
) -> None:
    paths = write_study(tmp_path, 20, size_bytes=100_000)
    peer = start_storescp(maximum_length=maximum_length, environment=environment)
    entries = entries_of(paths)

    sent = send(endpoint_of(peer, associations=4), entries)

    assert_all_acknowledged(sent, entries)
    assert digests(peer.files()) == digests(paths)


@pytest.mark.parametrize("odd_length", [False, True], ids=["even", "odd"])
def test_storescp_takes_a_deflated_instance(tmp_path: Path, start_storescp: StartStorescp, odd_length: bool) -> None:
    path = write_instance(tmp_path, transfer_syntax_uid=DeflatedExplicitVRLittleEndian, odd_length=odd_length)
    peer = start_storescp()

    sent = send(endpoint_of(peer), [entry_of(path)])

    assert_all_acknowledged(sent, [entry_of(path)])
    assert data_set_bytes(peer.files()[0]) == data_set_bytes(path) + b"\0" * odd_length


def test_orthanc_stores_every_instance_over_several_associations(tmp_path: Path, orthanc: Orthanc) -> None:
    entries = entries_of(write_study(tmp_path, 60, 3, size_bytes=50_000))

    sent = send(endpoint_of(orthanc, associations=4), entries)

    assert_all_acknowledged(sent, entries)
    assert {entry.sop_instance_uid for entry in entries} <= orthanc.instances()


@pytest.mark.parametrize(
    "transfer_syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        JPEG2000Lossless,
    ],
)
def test_orthanc_stores_each_transfer_syntax(tmp_path: Path, orthanc: Orthanc, transfer_syntax: str) -> None:
    is_odd = transfer_syntax == DeflatedExplicitVRLittleEndian
    path = write_instance(tmp_path, transfer_syntax_uid=transfer_syntax, odd_length=is_odd)
    entry = entry_of(path)

    sent = send(endpoint_of(orthanc), [entry])

    assert_all_acknowledged(sent, [entry])
    (found,) = orthanc.rest("/tools/find", body=query_for(entry) | {"Expand": True})
    metadata = orthanc.rest(f"/instances/{found['ID']}/metadata?expand")
    assert metadata["TransferSyntax"] == transfer_syntax


def query_for(entry: ManifestEntry) -> dict[str, object]:
    return {"Level": "Instance", "Query": {"SOPInstanceUID": entry.sop_instance_uid}}


def test_orthanc_answers_success_for_what_it_drops(tmp_path: Path, filtering_orthanc: Orthanc) -> None:
    entries = entries_of(write_study(tmp_path, 10))

    sent = send(endpoint_of(filtering_orthanc), entries)

    assert_all_acknowledged(sent, entries)
    assert len({entry.sop_instance_uid for entry in entries} & filtering_orthanc.instances()) == 8


def test_preflight_finds_what_orthanc_would_take(tmp_path: Path, orthanc: Orthanc) -> None:
    entries = entries_of([write_instance(tmp_path), write_instance(tmp_path, transfer_syntax_uid=JPEG2000Lossless)])

    preflight = CStore().preflight(entries, SendContext(endpoint_of(orthanc), POLICY))

    assert preflight.unsendable == {}


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


def test_storescp_takes_instances_over_tls_from_whom_it_knows(
    tmp_path: Path, authority: CertificateAuthority, start_storescp: StartStorescp
) -> None:
    client = authority.issue("client")
    peer = start_storescp(tls=authority.issue("server"), ca=authority.certificate)
    settings = TlsSettings(str(authority.certificate), str(client.certificate), str(client.key))
    paths = write_study(tmp_path, 5, size_bytes=2_500_000)
    entries = entries_of(paths)

    sent = send(endpoint_of(peer, tls=settings), entries)

    assert_all_acknowledged(sent, entries)
    assert digests(peer.files()) == digests(paths)


def test_storescp_refuses_over_tls_whom_it_does_not_know(
    tmp_path: Path, authority: CertificateAuthority, start_storescp: StartStorescp
) -> None:
    peer = start_storescp(tls=authority.issue("server"), ca=authority.certificate)
    entries = entries_of(write_study(tmp_path, 2))

    sent = send(endpoint_of(peer, tls=TlsSettings(str(authority.certificate))), entries)

    assert [sent.of(entry) for entry in entries] == [[EvidenceKind.NOT_SENT]] * 2
    assert sent.codes()[0] == "tls_failed"
