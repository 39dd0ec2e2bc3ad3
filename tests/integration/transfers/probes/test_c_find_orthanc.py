"""The C-FIND probe and a real Orthanc."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation
from tests.datasets import write_study
from tests.entries import entries_of
from tests.peers.orthanc import Orthanc
from transfers.endpoints import DicomEndpoint
from transfers.methods.base import SendContext
from transfers.methods.c_store import CStore
from transfers.probes.base import ProbeContext
from transfers.probes.c_find import CFindProbe


def endpoint_of(peer: Orthanc) -> DicomEndpoint:
    return DicomEndpoint(peer.host, peer.port, peer.ae_title, "TALLYMAN")


def send(entries: Iterable[ManifestEntry], peer: Orthanc) -> None:
    seen = list(CStore().send(list(entries), SendContext(endpoint_of(peer))))
    kinds = [each.kind for each in seen if isinstance(each, Observation)]
    assert EvidenceKind.ACKNOWLEDGED in kinds
    assert EvidenceKind.REFUSED not in kinds


def verify(entries: Iterable[ManifestEntry], peer: Orthanc) -> dict[EvidenceKind, list[str]]:
    entries = list(entries)
    sent = frozenset(entry.sop_instance_uid for entry in entries)
    context = ProbeContext(endpoint_of(peer), settle_seconds=0.4, retry_seconds=0, may_settle=sent)
    found: dict[EvidenceKind, list[str]] = {}
    for seen in CFindProbe().verify(entries, context):
        if isinstance(seen, Observation):
            found.setdefault(seen.kind, []).append(seen.sop_instance_uid)
    return found


def test_what_was_stored_is_present(orthanc: Orthanc, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=12, series=3, size_bytes=64))
    send(entries, orthanc)

    assert verify(entries, orthanc) == {EvidenceKind.PRESENT: _uids(entries)}


def test_what_was_never_sent_is_absent(orthanc: Orthanc, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=6, series=2, size_bytes=64))
    send(entries[:5], orthanc)

    assert verify(entries, orthanc) == {
        EvidenceKind.PRESENT: _uids(entries[:5]),
        EvidenceKind.ABSENT: _uids(entries[5:]),
    }


def test_what_was_answered_with_success_and_dropped_is_absent(filtering_orthanc: Orthanc, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=10, size_bytes=64))
    send(entries, filtering_orthanc)

    found = verify(entries, filtering_orthanc)

    assert found[EvidenceKind.ABSENT] == _uids([entries[4], entries[9]])
    assert len(found[EvidenceKind.PRESENT]) == 8


def test_preflight_lists_what_is_there_already(orthanc: Orthanc, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=6, series=2, size_bytes=64))
    send(entries[:3], orthanc)

    listing = CFindProbe().list_present(entries, ProbeContext(endpoint_of(orthanc)))

    assert (listing.present, listing.unknown) == (frozenset(_uids(entries[:3])), frozenset())


def _uids(entries: Iterable[ManifestEntry]) -> list[str]:
    return [entry.sop_instance_uid for entry in entries]
