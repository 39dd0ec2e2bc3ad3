"""What the phases of one run of a transfer share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import NamedTuple

from audit.entries import ManifestEntry
from audit.judgements import WasThereBefore
from audit.ledger import Ledger
from audit.observations import Occurrence
from transfers import queue
from transfers.endpoints import Endpoint
from transfers.import_roots import root_by_name
from transfers.methods import METHODS
from transfers.methods.base import Method, ReconnectPolicy, SendContext
from transfers.models import Batch, Destination, Transfer
from transfers.probes import DEFAULT_PROBES, PROBES
from transfers.probes.base import Probe, ProbeContext
from transfers.progress import Watcher
from transfers.selection import uids_begun
from transfers.stopping import AnyOf

RECONNECT = ReconnectPolicy()
"""How a method opens lost associations again."""


class Side(NamedTuple):
    """One way to an archive, which may be known by several: DICOM, DICOMweb, Orthanc's own."""

    name: str
    endpoint: Endpoint
    probe: Probe

    @classmethod
    def of(cls, destination: Destination) -> Side:
        return cls(destination.name, destination.endpoint, PROBES[DEFAULT_PROBES[destination.kind]])


@dataclass
class Run:
    """One run of a transfer that this process has claimed."""

    transfer: Transfer
    ledger: Ledger
    entries: tuple[ManifestEntry, ...]
    """The whole manifest."""
    halt: Event
    """This process is to let go of the transfer, as it is: it was told to end, or lost its lease."""
    cancelled: Event
    """Nothing more is to be sent; everything else is done to the end."""
    watch: Watcher
    stop: Event = field(init=False)
    """What comes before the last byte ends soon after this is set: by a halt, or a cancel."""

    def __post_init__(self) -> None:
        self.stop = AnyOf(self.halt, self.cancelled)

    @property
    def method(self) -> Method:
        return METHODS[self.transfer.method or ""]

    @cached_property
    def sides(self) -> tuple[Side, ...]:
        """By which the archive is asked, one after another until one answers: what --ask-at names comes first."""
        destination = self.transfer.destination
        return tuple(Side.of(each) for each in (*destination.ask_at.all(), destination))

    @property
    def within(self) -> Path | None:
        """The folder that no file of the input may lead out of. Raises PathNotAllowed."""
        return _import_folder(self.transfer.batch)

    @property
    def send_context(self) -> SendContext:
        transfer = self.transfer
        return SendContext(
            transfer.destination.endpoint,
            RECONNECT,
            options=transfer.options,
            stop=self.stop,
            within=self.within,
        )

    def probe_context(self, side: Side, stop: Event) -> ProbeContext:
        destination = self.transfer.destination
        return ProbeContext(
            endpoint=side.endpoint,
            settle_seconds=destination.presence_settle_seconds,
            # Where nothing was ever sent the destination is asked once: patience would bring nothing to light.
            retry_seconds=destination.probe_retry_seconds if self.may_have_sent else 0,
            may_settle=uids_begun(self.transfer.audit),
            wants_sop_class=not (self.transfer.sends and self._was_empty),
            stop=stop,
        )

    @property
    def may_have_sent(self) -> bool:
        """Whether there is anything to ask about: something was sent, or nothing was ever to be sent by this run."""
        return not self.transfer.sends or self.transfer.attempts.exists()

    @property
    def _was_empty(self) -> bool:
        """Whether it is known that the destination held none of it before this transfer."""
        rows = self.transfer.audit.instances
        return rows.exists() and not rows.exclude(was_there_before=WasThereBefore.NO).exists()

    def record(self, occurrence: Occurrence) -> None:
        queue.record_event(self.transfer, occurrence.name, occurrence.at, **occurrence.detail)


def _import_folder(batch: Batch | None) -> Path | None:
    """What files of others were sent from. Raises PathNotAllowed where it is no import folder any more."""
    return root_by_name(batch.path) if batch and batch.path else None
