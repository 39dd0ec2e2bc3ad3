"""The promise between the runner and a probe: a way of asking the destination afterwards. No Django, no database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from audit.entries import ManifestEntry
from audit.observations import Observation, Occurrence
from transfers.endpoints import Endpoint


@dataclass(frozen=True, slots=True)
class ProbeContext:
    """All a probe may know besides the entries."""

    endpoint: Endpoint
    settle_seconds: float = 10.0
    """How long an instance that was sent may take to show up in a list before it counts as absent."""
    retry_seconds: float = 60.0
    """How long a list that could not be fetched is tried again."""
    preflight_retry_seconds: float = 3.0
    """The same in preflight: one hiccup of the destination must not leave open what it held before."""
    may_settle: frozenset[str] = frozenset()
    """SOP Instance UIDs that were sent, wholly or partly: their absence needs two lists and the settle time."""
    under_way: frozenset[str] = frozenset()
    """SOP Instance UIDs of what may arrive at any time, however long that takes: their absence cannot be earned."""
    wants_sop_class: bool = True
    """Whether lists are to name the SOP class too. Where nothing was there before what is listed now has ours, and a
    stock Orthanc opens each file to tell: that is two thirds of the time of its lists."""
    stop: Event = field(default_factory=Event)


@dataclass(frozen=True, slots=True)
class Listing:
    """What the destination said it holds of a study, before anything is sent."""

    present: frozenset[str]
    """SOP Instance UIDs of the entries that are listed under their study and series."""
    unknown: frozenset[str]
    """SOP Instance UIDs about which nothing can be said, because a list did not end as it should."""
    occurrences: tuple[Occurrence, ...] = ()


class Probe(Protocol):
    """A way to ask a destination what it holds."""

    key: str

    def list_present(self, entries: Sequence[ManifestEntry], context: ProbeContext) -> Listing:
        """Ask, for preflight. Never raises for a fault of the peer: what could not be asked is `unknown`."""
        ...

    def verify(self, entries: Sequence[ManifestEntry], context: ProbeContext) -> Iterator[Observation | Occurrence]:
        """Yield exactly one observation an entry: `present`, `absent` (earned) or `probe-failed` (with the reason)."""
        ...
