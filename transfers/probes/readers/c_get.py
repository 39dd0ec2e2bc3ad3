"""Reading back by C-GET: over associations of its own, on which we are the SCP of the storage SOP classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from audit.content import DataSetStream
from audit.entries import ManifestEntry
from audit.limits import most_bytes_of
from audit.observations import Occurrence
from transfers.endpoints import DicomEndpoint
from transfers.errors import (
    AssociationError,
    AssociationInterrupted,
    NoPresentationContext,
    SpoolFailed,
    TransferError,
    TransferStopped,
)
from transfers.probes.readers.base import Copy, Outcome, Readability, ReadingContext, Tally, Unreadable
from transfers.spools import Spool
from transfers.wire.association import Association
from transfers.wire.identifiers import Wanted
from transfers.wire.presentation_contexts import Encoding, uid_name
from transfers.wire.retrieval_plans import RetrievalPlan, plan_retrievals
from transfers.wire.retrieve import Incoming, Received, Retrieval, get_context
from transfers.wire.stopping import interruption_by
from transfers.wire.waiting import Interruption

_Read = tuple[ManifestEntry, Outcome]


class CGetReader:
    """Asks for lists of instances where the destination takes them, else for one at a time."""

    key = "c-get"
    most_at_once = 32

    def can_read(self, entries: Sequence[ManifestEntry], context: ReadingContext) -> Readability:
        """As Reader promises: opens the associations that would be needed, and reads nothing."""
        unreadable: dict[str, str] = {}
        try:
            with interruption_by(context.stop) as interruption:
                for plan in _plans(entries):
                    with Association.open(_endpoint(context), plan.contexts, interruption) as association:
                        get_context(association)
                        unreadable |= _unreadable(entries, plan, association)
        except AssociationError as error:
            return Readability(self.key, error=_as_stop(error))
        return Readability(self.key, unreadable)

    def session(self, entries: Sequence[ManifestEntry], context: ReadingContext) -> CGetSession:
        return CGetSession(_plans(entries), context)


class CGetSession:
    """As Session promises. One association at a time, opened again where it is lost."""

    def __init__(self, plans: Sequence[RetrievalPlan], context: ReadingContext) -> None:
        self.tally = Tally()
        self._plans = plans
        self._context = context
        self._exits = ExitStack()
        self._interruption: Interruption | None = None
        self._association: Association | None = None
        self._plan: RetrievalPlan | None = None
        self._spool: Spool | None = None
        self._takes_lists = True

    def __enter__(self) -> Self:
        self._interruption = self._exits.enter_context(interruption_by(self._context.stop))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        with self._exits:
            self._close_spool()
            if self._association is not None and kind is None and not self._context.stop.is_set():
                self._association.release()
            else:
                self._drop()

    def open(self, entries: Sequence[ManifestEntry]) -> None:
        """Associate for the first of these. Raises AssociationError, TransferStopped."""
        self._associated(self._plan_of(entries[0]))

    def read(self, entries: Sequence[ManifestEntry]) -> Iterator[_Read]:
        """As Session promises, and as `open` raises; the entries are of one series."""
        missing = {entry.sop_instance_uid: entry for entry in entries}
        listed = len(entries) > 1 and self._takes_lists
        if listed:
            for entry, outcome in self._read_list(entries):
                missing.pop(entry.sop_instance_uid, None)
                yield entry, outcome
        for entry in missing.values():
            for _, outcome in self._read_one(entry):
                if listed and not isinstance(outcome, Unreadable):
                    self._takes_lists = False  # it has the instance, and did not hand it over when asked for several
                yield entry, outcome

    def _read_list(self, entries: Sequence[ManifestEntry]) -> Iterator[_Read]:
        """What comes of a list; the rest is asked for one by one, so no fault is told here."""
        plan = self._plan_of(entries[0])
        if any(self._plan_of(entry) is not plan for entry in entries):
            return
        association = self._associated(plan)
        with suppress(TransferError):
            for entry, outcome in self._retrieve(entries, association):
                if not isinstance(outcome, Unreadable):
                    yield entry, outcome

    def _read_one(self, entry: ManifestEntry) -> Iterator[_Read]:
        association = self._associated(self._plan_of(entry))
        try:
            yield from self._retrieve([entry], association)
        except AssociationError as error:
            yield entry, Unreadable(_as_stop(error), is_general=True)
        except TransferError as error:
            yield entry, Unreadable(error)

    def _retrieve(self, entries: Sequence[ManifestEntry], association: Association) -> Iterator[_Read]:
        """Yield what comes, then what does not. Raises TransferError; the association is then gone."""
        missing = {entry.sop_instance_uid: entry for entry in entries}
        by_uid = dict(missing)

        def open_instance(incoming: Incoming) -> Spool:
            self._close_spool()
            limit_bytes = most_bytes_of(by_uid[incoming.sop_instance_uid])
            self._spool = Spool(limit_bytes, self._context.spool_folder, digests=True)
            return self._spool

        wanted = Wanted(entries[0].study_instance_uid, entries[0].series_instance_uid, tuple(by_uid))
        retrieval = Retrieval(association, wanted, open_instance)
        try:
            for received in retrieval.instances():
                missing.pop(received.incoming.sop_instance_uid, None)
                yield by_uid[received.incoming.sop_instance_uid], self._outcome(received)
        except BaseException as error:
            self._lost(error)
            raise
        finally:
            self._close_spool()
            self.tally.unasked += retrieval.unasked
        for entry in missing.values():
            yield entry, Unreadable(self._why_missing(retrieval, entry, association))

    def _outcome(self, received: Received) -> Outcome:
        assert self._spool is not None
        try:
            stream = self._spool.stream()
        except SpoolFailed as error:
            return Unreadable(error)
        syntax = received.incoming.transfer_syntax_uid
        return Copy(DataSetStream(stream, 0, self._spool.size, syntax), self._spool.hexdigest())

    def _why_missing(self, retrieval: Retrieval, entry: ManifestEntry, association: Association) -> TransferError:
        reason = _why_not_sent_back(entry, association)
        return NoPresentationContext(reason) if reason else retrieval.why_missing()

    def _plan_of(self, entry: ManifestEntry) -> RetrievalPlan:
        encoding = _encoding(entry)
        return next(plan for plan in self._plans if encoding in plan.encodings)

    def _associated(self, plan: RetrievalPlan) -> Association:
        if self._association is not None and self._plan is plan:
            return self._association
        if self._association is not None:
            self._association.release()
            self._association = None
        try:
            association = Association.open(_endpoint(self._context), plan.contexts, self._interruption)
            self._check(association)
        except AssociationInterrupted as error:
            raise TransferStopped from error
        except AssociationError as error:
            self._occurred("association_failed", code=error.code, reason=str(error))
            raise
        self._occurred("association_opened", asked="Study Root GET", accepted_contexts=len(association.accepted))
        self._association, self._plan = association, plan
        return association

    def _check(self, association: Association) -> None:
        try:
            get_context(association)
        except AssociationError:
            association.release()
            raise

    def _lost(self, error: BaseException) -> None:
        if isinstance(error, TransferError) and not isinstance(error, AssociationInterrupted):
            name = "association_lost" if isinstance(error, AssociationError) else "association_aborted_by_us"
            self._occurred(name, code=error.code, reason=str(error))
        self._drop()

    def _drop(self) -> None:
        if self._association is not None:
            self._association.abort()
            self._association = None

    def _close_spool(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def _occurred(self, name: str, **detail: Any) -> None:
        self.tally.occurrences.append(Occurrence(name, datetime.now(UTC), {"association": "reading back"} | detail))


def _endpoint(context: ReadingContext) -> DicomEndpoint:
    assert isinstance(context.endpoint, DicomEndpoint)
    return context.endpoint


def _encoding(entry: ManifestEntry) -> Encoding:
    return Encoding(entry.sop_class_uid, entry.transfer_syntax_uid)


def _plans(entries: Sequence[ManifestEntry]) -> tuple[RetrievalPlan, ...]:
    return plan_retrievals({_encoding(entry) for entry in entries})


def _unreadable(entries: Sequence[ManifestEntry], plan: RetrievalPlan, association: Association) -> dict[str, str]:
    planned = (entry for entry in entries if _encoding(entry) in plan.encodings)
    reasons = {entry.sop_instance_uid: _why_not_sent_back(entry, association) for entry in planned}
    return {uid: reason for uid, reason in reasons.items() if reason}


def _why_not_sent_back(entry: ManifestEntry, association: Association) -> str:
    """Why the destination cannot send an instance back over this association; empty where it can."""
    name = uid_name(entry.sop_class_uid)
    if association.accepted_context(entry.sop_class_uid) is None:
        return f"The destination does not send {name} back: it accepts no presentation context for it. Enable it there."
    if entry.sop_class_uid not in association.scp_roles:
        return (
            f"The destination does not let us receive {name}: it did not accept our role as SCP (PS3.7 D.3.3.4). "
            "Allow it there, or name the same archive's DICOMweb or Orthanc side."
        )
    return ""


def _as_stop(error: AssociationError) -> TransferError:
    return TransferStopped() if isinstance(error, AssociationInterrupted) else error
