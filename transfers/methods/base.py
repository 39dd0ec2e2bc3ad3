"""The promise between the runner and a transfer method: entries in, observations out; no Django, no database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from audit.entries import ManifestEntry
from audit.observations import Observation, Occurrence
from transfers.endpoints import DicomEndpoint, Endpoint


@dataclass(frozen=True, slots=True)
class ReconnectPolicy:
    """How often, and how soon, a lost association is opened again within one send."""

    attempts: int = 5
    """Associations opened in a row without one answer before the sender gives up."""
    first_wait_seconds: float = 0.5
    factor: float = 2.0
    maximum_wait_seconds: float = 15.0
    losses_per_instance: int = 2
    """An instance at which this many associations were lost or timed out is set aside (a poison instance)."""

    def wait_seconds(self, failures: int) -> float:
        """How long to wait after the given number of failures in a row (1 or more)."""
        return min(self.maximum_wait_seconds, self.first_wait_seconds * self.factor ** (failures - 1))


@dataclass(frozen=True, slots=True)
class SendContext:
    """All a method may know besides the entries."""

    endpoint: Endpoint
    reconnect: ReconnectPolicy = field(default_factory=ReconnectPolicy)
    options: Mapping[str, Any] = field(default_factory=dict)
    """Values for fields of the method's Options; what is not given keeps its default."""
    stop: Event = field(default_factory=Event)
    """Set from outside to stop: what is under way is finished or abandoned within seconds, nothing new begins."""
    within: str | Path | None = None
    """The folder that no file may lead out of, even if links were put in the place of files since they were read."""

    @property
    def dicom_endpoint(self) -> DicomEndpoint:
        """Of a method that sends over an association, to destinations of kind `dicom` only."""
        assert isinstance(self.endpoint, DicomEndpoint), "a method was given a destination that it cannot send to"
        return self.endpoint


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the destination would take, asked before the first byte."""

    unsendable: Mapping[str, str] = field(default_factory=dict)
    """SOP Instance UID → why it could not be sent, for people."""
    occurrences: tuple[Occurrence, ...] = ()


class Method(Protocol):
    """A way to send instances."""

    key: str
    label: str
    kinds: tuple[str, ...]
    """Which kinds of destination can it send to?"""
    sender_can_trust: str
    """What does its own success say, for people? A claim of the destination: it is asked afterwards all the same."""
    destination_may_trust_stable_study: bool
    """Does the whole study appear at once, so that the destination's own "stable" event says it is complete?"""
    asks_commitment: bool
    """Is the destination asked to commit to what it holds, once all was sent?"""
    keeps_bytes: bool
    """Does it hand over files as they are, so that a digest of the stored file can be compared with that of ours?"""

    @property
    def Options(self) -> type[Any]:  # noqa: N802  # a nested class
        """A frozen dataclass; each field has `help`, `minimum` and `maximum` in its metadata."""
        ...

    def preflight(self, entries: Sequence[ManifestEntry], context: SendContext) -> Preflight:
        """Ask which entries the destination would take; sends no instance.

        Raises AssociationError where the destination cannot be asked (unreachable, rejected).
        """
        ...

    def send(self, entries: Sequence[ManifestEntry], context: SendContext) -> Iterator[Observation | Occurrence | None]:
        """Send the entries. Yields as things happen; never raises for a fault of the peer or of a file.

        Yields None at least every 0.2 s while nothing happens, so that what was yielded before can be saved.

        When the iterator ends, every entry has at least one observation: `acknowledged`, `refused`,
        `answer-unclear`, `no-answer` (sending began, no answer came), or `not-sent` (it never began,
        or broke off before its last fragment on our side). An entry that was answered is never sent again.
        """
        ...
