"""Removes from a destination again what a transfer brought there: all or nothing, as far as that can be had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.utils import timezone

from audit.entries import ManifestEntry
from audit.judgements import InstanceVerdict
from audit.judging import judgements_of
from audit.observations import EvidenceKind, Observation
from transfers import queue
from transfers.endpoints import DicomEndpoint
from transfers.progress import Progress
from transfers.rollback import CannotRollBack, check_is_same_archive, deleting_side
from transfers.run import Run
from transfers.selection import uids_brought
from transfers.states import State
from transfers.wire.removal import Removal, remove_instances


def is_known_to_be_incomplete(run: Run) -> bool:
    """Whether something of the study is proved not to be there; what is only not proved is left where it may be."""
    run.ledger.flush()
    return any(judgement.verdict is InstanceVerdict.REFUTED for judgement in judgements_of(run.transfer.audit).values())


def roll_back(run: Run) -> None:
    """Remove what this transfer began to send and what was not there before; never anything else.

    What came of it is told by events; whether it is gone is for whoever asks the destination afterwards.
    """
    queue.move(run.transfer, State.ROLLING_BACK)
    entries = _brought(run)
    try:
        check_is_same_archive(run.transfer)
    except CannotRollBack as error:
        queue.record_event(run.transfer, "roll_back_not_possible", reason=str(error))
        return
    side = deleting_side(run.transfer.destination)
    endpoint = side.endpoint if side else None
    if endpoint is None or isinstance(endpoint, DicomEndpoint):
        queue.record_event(run.transfer, "roll_back_not_possible")
        return
    _record_asked(run, entries)
    removed, errors = 0, Counter[tuple[str, str]]()
    for done, removal in enumerate(remove_instances(endpoint, entries, run.halt), start=1):
        removed += removal.was_there
        errors.update(_error_of(removal))
        run.watch(Progress(State.ROLLING_BACK, len(entries), done))
    queue.record_event(run.transfer, "rolled_back", asked=len(entries), removed=removed)
    for (code, reason), instances in errors.most_common():
        queue.record_event(run.transfer, "not_removed", None, instances=instances, code=code, reason=reason)


def _record_asked(run: Run, entries: Sequence[ManifestEntry]) -> None:
    """Before the first is removed: whatever becomes of us then, what was proved of them before counts no more."""
    run.ledger.begin_round()
    now = timezone.now()
    for entry in entries:
        run.ledger.record(Observation(entry.sop_instance_uid, EvidenceKind.REMOVAL_ASKED, now))
    run.ledger.flush()


def _brought(run: Run) -> list[ManifestEntry]:
    brought = uids_brought(run.transfer.audit)
    return [entry for entry in run.entries if entry.sop_instance_uid in brought]


def _error_of(removal: Removal) -> list[tuple[str, str]]:
    return [(removal.error.code, str(removal.error))] if removal.error else []
