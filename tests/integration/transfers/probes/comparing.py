"""Comparing what a destination holds with what was sent, and reading what is concluded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation, Occurrence
from tests.datasets import data_set_bytes
from transfers.endpoints import DicomEndpoint, Endpoint, Timeouts
from transfers.methods.base import SendContext
from transfers.methods.c_store import CStore
from transfers.probes.content import ContentContext, compare_content

TIMEOUTS = Timeouts(connect_seconds=2, acse_seconds=5, dimse_seconds=5, network_seconds=5)
IDENTICAL, EQUIVALENT = EvidenceKind.IDENTICAL, EvidenceKind.EQUIVALENT
DIFFERENT, FAILED = EvidenceKind.DIFFERENT, EvidenceKind.PROBE_FAILED
UNREADABLE = EvidenceKind.UNREADABLE


@dataclass(frozen=True)
class Compared:
    """What was concluded, in the order of the entries."""

    observations: tuple[Observation, ...]
    occurrences: tuple[Occurrence, ...]

    @property
    def kinds(self) -> list[EvidenceKind]:
        return [observation.kind for observation in self.observations]

    @property
    def codes(self) -> list[str]:
        return [observation.detail.get("code", "") for observation in self.observations]

    @property
    def details(self) -> list[Mapping[str, Any]]:
        return [observation.detail for observation in self.observations]

    def occurred(self, name: str) -> list[Mapping[str, Any]]:
        return [occurrence.detail for occurrence in self.occurrences if occurrence.name == name]


def compared(
    entries: Sequence[ManifestEntry],
    endpoint: Endpoint,
    *,
    digests: Mapping[str, str] | None = None,
    retry_seconds: float = 0.0,
    **more: Any,
) -> Compared:
    """Each entry has exactly one observation; `digests`: those of the files, unless given."""
    known = digests_of(entries) if digests is None else digests
    seen = list(compare_content(entries, ContentContext(endpoint, known, retry_seconds=retry_seconds, **more)))
    observations = {each.sop_instance_uid: each for each in seen if isinstance(each, Observation)}
    assert sum(isinstance(each, Observation) for each in seen) == len(entries) == len(observations)
    return Compared(
        tuple(observations[entry.sop_instance_uid] for entry in entries),
        tuple(each for each in seen if isinstance(each, Occurrence)),
    )


def digests_of(entries: Iterable[ManifestEntry]) -> dict[str, str]:
    return {entry.sop_instance_uid: sha256(data_set_bytes(Path(entry.path))).hexdigest() for entry in entries}


def send(entries: Sequence[ManifestEntry], endpoint: DicomEndpoint) -> None:
    """By C-STORE; every instance has to be acknowledged."""
    seen = CStore().send(entries, SendContext(endpoint))
    answers = [each.kind for each in seen if isinstance(each, Observation) and each.kind is not EvidenceKind.SENT]
    assert answers == [EvidenceKind.ACKNOWLEDGED] * len(entries)
