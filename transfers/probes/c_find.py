"""Presence by C-FIND: Study Root, IMAGE level, over an association of its own (PS3.4 C.6.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from transfers.endpoints import DicomEndpoint
from transfers.errors import (
    AssociationRejected,
    AssociationTimedOut,
    ListingEndless,
    ListingFailed,
    TransferError,
)
from transfers.probes.base import ProbeContext
from transfers.probes.presence import PresenceProbe
from transfers.wire.association import Association
from transfers.wire.dimse import FIND_CONTEXT, ListBounds, find, find_context
from transfers.wire.identifiers import Query, Row
from transfers.wire.stopping import interruption_by
from transfers.wire.waiting import Interruption


class CFindProbe(PresenceProbe):
    """Asks a DICOM archive for its lists."""

    key = "c-find"

    @contextmanager
    def line(self, context: ProbeContext, bounds: ListBounds) -> Iterator[FindLine]:
        assert isinstance(context.endpoint, DicomEndpoint), "C-FIND is for DICOM destinations"
        with interruption_by(context.stop) as interruption:
            yield FindLine(context.endpoint, bounds, interruption, wants_sop_class=context.wants_sop_class)


class FindLine:
    """As Line promises."""

    medium = "association"
    opened = "association_opened"
    lost = "association_lost"
    service = "Study Root FIND"

    def __init__(
        self,
        endpoint: DicomEndpoint,
        bounds: ListBounds,
        interruption: Interruption,
        *,
        wants_sop_class: bool = True,
    ) -> None:
        self._endpoint = endpoint
        self._bounds = bounds
        self._interruption = interruption
        self._wants_sop_class = wants_sop_class
        self._association: Association | None = None

    def open(self) -> None:
        association = Association.open(self._endpoint, [FIND_CONTEXT], self._interruption)
        try:
            find_context(association)
        except TransferError:
            association.release()
            raise
        self._association = association

    def ask(self, query: Query) -> Iterator[Row]:
        assert self._association is not None, "it is not open"
        query = replace(query, wants_sop_class=self._wants_sop_class)
        return find(self._association, query, self._bounds)

    def ask_for_copies(self, sop_instance_uids: Sequence[str]) -> Iterator[Row]:  # noqa: ARG002 it does not tell
        return iter(())

    def beside(self) -> Sequence[FindLine]:
        """None: archives allow few associations, and a list over one costs little beside sending."""
        return ()

    def is_lost_by(self, error: TransferError) -> bool:
        return not isinstance(error, ListingFailed) or isinstance(error, ListingEndless)

    def name_of_failure(self, error: TransferError) -> str:
        if isinstance(error, AssociationRejected):
            return "association_rejected"
        if isinstance(error, AssociationTimedOut):
            return "association_timed_out"
        return "association_failed"

    def close(self) -> None:
        if self._association is not None:
            self._association.release()
            self._association = None

    def abort(self) -> None:
        if self._association is not None:
            self._association.abort()
            self._association = None
