"""Sends by C-STORE to its end, and keeps what was seen in a form that tests can ask."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation, Occurrence
from tests.fakes.archive import Archive
from transfers.endpoints import DicomEndpoint, Timeouts
from transfers.methods.base import Checkpoint, ReconnectPolicy, Seen, SendContext
from transfers.methods.c_store import CStore

SOON = Timeouts(connect_seconds=2, acse_seconds=0.5, dimse_seconds=0.5, network_seconds=0.5)
"""For tests that wait for a time-out."""
PATIENT = Timeouts(connect_seconds=10, acse_seconds=10, dimse_seconds=10, network_seconds=10)
POLICY = ReconnectPolicy(first_wait_seconds=0.02)
FINAL = frozenset(EvidenceKind) - {EvidenceKind.SENT}


@dataclass
class Sent:
    """What one send brought."""

    observations: list[Observation] = field(default_factory=list)
    occurrences: list[Occurrence] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def add(self, seen: Seen) -> None:
        if isinstance(seen, Observation):
            self.observations.append(seen)
        elif isinstance(seen, Checkpoint):
            self.checkpoints.append(seen)
        elif seen is not None:
            self.occurrences.append(seen)

    def of(self, entry: ManifestEntry) -> list[EvidenceKind]:
        return [seen.kind for seen in self.observations if seen.sop_instance_uid == entry.sop_instance_uid]

    def last(self, entry: ManifestEntry) -> Observation:
        return [seen for seen in self.observations if seen.sop_instance_uid == entry.sop_instance_uid][-1]

    def detail(self, entry: ManifestEntry, kind: EvidenceKind) -> dict[str, Any]:
        (found,) = [
            seen for seen in self.observations if (seen.sop_instance_uid, seen.kind) == (entry.sop_instance_uid, kind)
        ]
        return dict(found.detail)

    def names(self) -> list[str]:
        return [seen.name for seen in self.occurrences]

    def codes(self) -> list[str]:
        return [seen.detail["code"] for seen in self.occurrences if "code" in seen.detail]


def send(
    to: Archive | DicomEndpoint,
    entries: Sequence[ManifestEntry],
    *,
    associations: int = 1,
    timeouts: Timeouts = PATIENT,
    policy: ReconnectPolicy = POLICY,
    stop: Event | None = None,
) -> Sent:
    """Send everything; the promises that hold for every send are asserted here."""
    endpoint = to if isinstance(to, DicomEndpoint) else to.endpoint(associations=associations, timeouts=timeouts)
    context = SendContext(endpoint, policy, stop=stop or Event())
    sent = Sent()
    for seen in CStore().send(entries, context):
        sent.add(seen)
    for entry in entries:
        assert FINAL & set(sent.of(entry)), f"nothing final was said of {entry.sop_instance_uid}"
    assert not sender_threads()
    if isinstance(to, Archive):
        assert to.log.broken_rules == []
    return sent


def sender_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name in {"c-store-sender", "sha256"}]
