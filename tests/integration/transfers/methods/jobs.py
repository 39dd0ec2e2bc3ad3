"""Sends by jobs of a source to their end, and keeps what was seen in a form that tests can ask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from threading import Event
from typing import Any

from audit.entries import ManifestEntry
from audit.judgements import Fact, InstanceVerdict, WasThereBefore
from audit.observations import EvidenceKind
from audit.verdicts import judge_instance
from tests.integration.transfers.methods.sending import Sent
from tests.peers.orthanc import Orthanc
from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, OrthancEndpoint, Timeouts
from transfers.methods import METHODS
from transfers.methods.base import Checkpoint, ReconnectPolicy, SendContext
from transfers.sources.orthanc import OrthancSource

POLICY = ReconnectPolicy(attempts=3, first_wait_seconds=0.02)
TIMEOUTS = Timeouts(connect_seconds=2, acse_seconds=5, dimse_seconds=5, network_seconds=5)
PEER = "orthanc-peer-store"
MODALITY = "orthanc-modality-store"
DESTINATION = OrthancEndpoint("http://destination.example:8042")
ARCHIVE = DicomEndpoint("archive.example", 104, "ARCHIVE", "TALLYMAN")
SUCCEEDED, FAILED = EvidenceKind.JOB_SUCCEEDED, EvidenceKind.JOB_FAILED
NO_ANSWER, NOT_SENT = EvidenceKind.NO_ANSWER, EvidenceKind.NOT_SENT
OF_SENDING = frozenset(
    {
        EvidenceKind.NOT_SENT,
        EvidenceKind.NO_ANSWER,
        EvidenceKind.REFUSED,
        EvidenceKind.JOB_SUCCEEDED,
        EvidenceKind.JOB_FAILED,
    }
)

Missing = Callable[[Sequence[ManifestEntry]], Sequence[ManifestEntry]]


def address_of(peer: Orthanc, method: str) -> Endpoint:
    """As a destination that the method can send to."""
    kind = METHODS[method].kinds[0]
    if kind == "dicom":
        return DicomEndpoint(peer.host, peer.port, peer.ae_title, "TALLYMAN")
    return DicomWebEndpoint(peer.dicom_web_url) if kind == "dicomweb" else OrthancEndpoint(peer.url)


class SentByJobs(Sent):
    """What one send brought, of which more than one job may have spoken."""

    def final(self, entry: ManifestEntry) -> EvidenceKind:
        """What sending it came to."""
        return [kind for kind in self.of(entry) if kind in OF_SENDING][-1]

    def finals(self, entries: Iterable[ManifestEntry]) -> set[EvidenceKind]:
        return {self.final(entry) for entry in entries}

    def last_detail(self, entry: ManifestEntry, kind: EvidenceKind) -> dict[str, Any]:
        uid = entry.sop_instance_uid
        return dict(
            [seen for seen in self.observations if (seen.sop_instance_uid, seen.kind) == (uid, kind)][-1].detail
        )

    def occurred(self, name: str) -> list[dict[str, Any]]:
        return [dict(seen.detail) for seen in self.occurrences if seen.name == name]

    def verdict(
        self, entry: ManifestEntry, *later: EvidenceKind, before: WasThereBefore = WasThereBefore.NO
    ) -> InstanceVerdict:
        """With all of it in one round, as the runner stores it, and `later` in the next."""
        facts = {Fact(kind, 1) for kind in self.of(entry)} | {Fact(kind, 2) for kind in later}
        return judge_instance(frozenset(facts), was_there_before=before).verdict


def context_of(
    source: str | Orthanc,
    destination: Endpoint,
    *,
    stop: Event | None = None,
    checkpoints: Iterable[Checkpoint] = (),
    missing: Missing | None = None,
    policy: ReconnectPolicy = POLICY,
    **options: Any,
) -> SendContext:
    url = source if isinstance(source, str) else source.url
    more: dict[str, Any] = {"missing": missing} if missing else {}
    return SendContext(
        destination,
        policy,
        options=options,
        stop=stop or Event(),
        source=OrthancSource(OrthancEndpoint(url, timeouts=TIMEOUTS)),
        checkpoints=tuple(checkpoints),
        **more,
    )


def send(method: str, entries: Sequence[ManifestEntry], context: SendContext) -> SentByJobs:
    """Send everything; the promises that hold for every send are asserted here."""
    sent = SentByJobs()
    for seen in METHODS[method].send(entries, context):
        sent.add(seen)
    for entry in entries:
        told = [seen for seen in sent.observations if seen.sop_instance_uid == entry.sop_instance_uid]
        final = [seen for seen in told if seen.kind in OF_SENDING and not seen.detail.get("will_be_sent_again")]
        assert len(final) == 1, f"{[seen.kind for seen in told]} was said of {entry.sop_instance_uid}"
    assert not job_threads()
    return sent


def job_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("orthanc-job")]


def told_entries() -> list[ManifestEntry]:
    """As a manifest of a scripted source has them."""
    return [
        ManifestEntry(
            sop_instance_uid=f"2.25.{number}",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            study_instance_uid="2.25.1",
            series_instance_uid="2.25.2",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            path="",
            member="",
            data_set_offset=0,
            data_set_size=100,
            modified_ns=0,
            file_size=100,
            source_id=f"00000000-00000000-00000000-00000000-0000000{number}",
        )
        for number in (3, 4, 5)
    ]
