"""What the phases of one run of a transfer share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import NamedTuple

from django.conf import settings

from audit.entries import ManifestEntry
from audit.judgements import WasThereBefore
from audit.ledger import Ledger
from audit.observations import Occurrence
from transfers import queue
from transfers.endpoints import Endpoint
from transfers.errors import RequestTlsFailed
from transfers.import_roots import root_by_name
from transfers.methods import METHODS
from transfers.methods.base import Checkpoint, Method, Outliving, ReconnectPolicy, SendContext, uids_of
from transfers.models import Batch, Destination, Transfer
from transfers.passwords import PasswordUnreadable
from transfers.probes import DEFAULT_PROBES, PROBES
from transfers.probes.base import Probe, ProbeContext
from transfers.progress import Watcher
from transfers.selection import uids_begun
from transfers.sources.base import InstanceSource
from transfers.sources.files import LocalFiles
from transfers.sources.orthanc import OrthancSource
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

    @cached_property
    def source(self) -> InstanceSource:
        """Where the instances are read. Raises PathNotAllowed, PasswordUnreadable."""
        source = self.transfer.source
        return OrthancSource(source.endpoint) if source else LocalFiles(_import_folder(self.transfer.batch))

    @property
    def send_context(self) -> SendContext:
        transfer = self.transfer
        return SendContext(
            transfer.destination.endpoint,
            RECONNECT,
            options=transfer.options,
            stop=self.stop,
            source=self.source,
            checkpoints=checkpoints_of(transfer),
            missing=self.missing,
            spool_folder=Path(settings.FILE_UPLOAD_TEMP_DIR),
        )

    def missing(self, entries: Sequence[ManifestEntry]) -> list[ManifestEntry]:
        """Which of these the destination does not list now, or could not be asked about; all, if it is not to be."""
        if not self.transfer.verification.asks:
            return list(entries)
        for side in self.sides:
            listing = side.probe.list_present(entries, self.probe_context(side, self.stop))
            if len(listing.unknown) < len(entries):
                break
        return [entry for entry in entries if entry.sop_instance_uid not in listing.present]

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

    def under_way(self) -> frozenset[str]:
        """What may arrive still though none of our sends is under way: a job that was to send it may not have ended."""
        checkpoints = checkpoints_of(self.transfer)
        if not checkpoints or not isinstance(self.method, Outliving):
            return frozenset()
        try:
            return self.method.under_way(replace(self.send_context, stop=self.halt))
        except (PasswordUnreadable, RequestTlsFailed):  # nobody can be asked
            return uids_of(checkpoints)

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


def checkpoints_of(transfer: Transfer) -> tuple[Checkpoint, ...]:
    """What its attempts yielded that no process lived to end, or that outlived them."""
    saved = transfer.attempts.order_by("round").values_list("checkpoints", flat=True)
    return tuple(Checkpoint(each["kind"], each["handle"]) for of_attempt in saved for each in of_attempt)


def _import_folder(batch: Batch | None) -> Path | None:
    """What files of others were sent from. Raises PathNotAllowed where it is no import folder any more."""
    return root_by_name(batch.path) if batch and batch.path else None
