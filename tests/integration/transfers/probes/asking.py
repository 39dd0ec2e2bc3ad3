"""Asking a scripted archive by the C-FIND probe, and reading what it concludes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation, Occurrence
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import FindRequest, Row, Script
from transfers.endpoints import Timeouts
from transfers.probes.base import ProbeContext
from transfers.probes.c_find import CFindProbe

SETTLE_SECONDS = 0.4
TIMEOUTS = Timeouts(connect_seconds=2, acse_seconds=5, dimse_seconds=5, network_seconds=5)
IMPATIENT = Timeouts(connect_seconds=2, acse_seconds=5, dimse_seconds=0.3, network_seconds=5)
PRESENT, ABSENT, FAILED = EvidenceKind.PRESENT, EvidenceKind.ABSENT, EvidenceKind.PROBE_FAILED

Study = list[ManifestEntry]
Verified = tuple[dict[str, Observation], list[Occurrence]]
Rewrite = Callable[[FindRequest, list[Row]], Iterable[Row]]


def holding(archive: MakeArchive, held: Iterable[ManifestEntry], script: Script | None = None) -> Archive:
    peer = archive(script)
    peer.hold(*(Path(entry.path) for entry in held))
    return peer


def context_of(
    peer: Archive,
    sent: Iterable[ManifestEntry] = (),
    *,
    retry_seconds: float = 0.0,
    preflight_retry_seconds: float = 0.0,
) -> ProbeContext:
    return ProbeContext(
        peer.endpoint(timeouts=TIMEOUTS),
        settle_seconds=SETTLE_SECONDS,
        retry_seconds=retry_seconds,
        preflight_retry_seconds=preflight_retry_seconds,
        may_settle=frozenset(entry.sop_instance_uid for entry in sent),
    )


def impatient(context: ProbeContext, peer: Archive) -> ProbeContext:
    """With a DIMSE time-out for destinations that fall silent."""
    return replace(context, endpoint=peer.endpoint(timeouts=IMPATIENT))


def verify(entries: Study, context: ProbeContext) -> Verified:
    """The observations by SOP Instance UID, of which each has one, and the occurrences."""
    seen = list(CFindProbe().verify(entries, context))
    observations = [each for each in seen if isinstance(each, Observation)]
    by_uid = {observation.sop_instance_uid: observation for observation in observations}
    assert len(observations) == len(by_uid)
    assert by_uid.keys() == {entry.sop_instance_uid for entry in entries}
    return by_uid, [each for each in seen if isinstance(each, Occurrence)]


def kinds(entries: Study, observations: dict[str, Observation]) -> list[EvidenceKind]:
    return [observations[entry.sop_instance_uid].kind for entry in entries]


def names(occurrences: list[Occurrence]) -> list[str]:
    return [occurrence.name for occurrence in occurrences]


def lists(peer: Archive) -> list[FindRequest]:
    return [find for find in peer.log.finds if find.level == "IMAGE" and not find.is_direct]


def uids(entries: Iterable[ManifestEntry]) -> frozenset[str]:
    return frozenset(entry.sop_instance_uid for entry in entries)


def of_lists(rewrite: Rewrite) -> Rewrite:
    """Rewrites the answers to lists; direct questions and counts are answered as they should be."""
    return lambda request, rows: rows if request.is_direct or request.level != "IMAGE" else rewrite(request, rows)
