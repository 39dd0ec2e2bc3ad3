"""Before the first byte: what is held back, what the destination would take, and what it holds already.

Of a transfer that stops before sending, what was found is kept as its `findings`:

    {"at": "2026-01-31T12:00:00+00:00",  when the destination was asked
     "present": 2, "unknown": 0,         instances that it lists already; about which it could not be asked
     "unsendable": [{"reason": "…", "code": "no_presentation_context", "instances": 3, "sop_class_uids": ["…"]}],
     "conflicts": 0,                     instances for which the input holds different files
     "error": {"code": "…", "reason": "…"} or null,  why the destination could not be asked what it takes
     "sendable": 7, "size_bytes": 3670016}           what it would take: of instances, and of their data sets
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.utils import timezone

from audit.entries import ManifestEntry
from audit.judgements import WasThereBefore
from audit.judging import HELD_BACK
from audit.ledger import entries_of
from audit.models import InstanceAudit
from audit.observations import EvidenceKind, Observation
from transfers import queue
from transfers.errors import TransferError
from transfers.methods.base import Preflight
from transfers.probes.base import Listing
from transfers.progress import Progress
from transfers.read_back import compare_with_what_was_there
from transfers.run import Run
from transfers.selection import instances_to_send, uids_conflicting_last, uids_maybe_there
from transfers.states import State

_OPEN = frozenset({EvidenceKind.PROBE_FAILED, EvidenceKind.UNREADABLE})
"""What reading back may leave open: it is sent."""
ATTEMPTS = 3
WAIT_SECONDS = 1.0


class HeldBack(NamedTuple):
    """An instance that is not sent now, and why."""

    sop_instance_uid: str
    reason: str
    code: str


def preflight(run: Run) -> list[ManifestEntry]:
    """Ask what the destination would take and what it holds already; returns what is to be sent now."""
    queue.move(run.transfer, State.PREFLIGHT)
    instances = instances_to_send(run.transfer.audit)
    held_back = _conflicting(run, instances)
    uids_held_back = {each.sop_instance_uid for each in held_back}
    candidates = [
        entry
        for entry in entries_of(instances, run.transfer.study_instance_uid)
        if entry.sop_instance_uid not in uids_held_back
    ]
    run.watch(Progress(State.PREFLIGHT, len(candidates)))
    candidates, conflicting_there = _ask_what_is_there(run, candidates)
    if conflicting_there and not run.transfer.send_what_can:
        held_back += _held_back_for(conflicting_there, candidates)
        candidates = []
    if candidates:
        refusals, stops_all = _ask_what_would_be_taken(run, candidates)
        held_back += refusals
        if stops_all:
            candidates = []
    _record_not_sent(run, held_back)
    uids_held_back = {each.sop_instance_uid for each in held_back}
    return [entry for entry in candidates if entry.sop_instance_uid not in uids_held_back]


def find(run: Run) -> dict[str, Any]:
    """Ask the same of a transfer that nobody has started yet: what was found, for people; no evidence is written."""
    queue.move(run.transfer, State.PREFLIGHT)
    instances = instances_to_send(run.transfer.audit)
    conflicting = {instance.sop_instance_uid for instance in instances if instance.is_conflicting}
    entries = [entry for entry in run.entries if entry.sop_instance_uid not in conflicting]
    run.watch(Progress(State.PREFLIGHT, len(entries)))
    listing = _list(run) if run.transfer.verification.asks else None
    answer, error = _what_would_be_refused(run, entries) if entries else (Preflight(), None)
    sendable = [] if error else [entry for entry in entries if entry.sop_instance_uid not in answer.unsendable]
    return {
        "at": timezone.now().isoformat(),
        "present": len(listing.present) if listing else 0,
        "unknown": len(listing.unknown) if listing else len(run.entries),
        "unsendable": _by_reason(entries, answer),
        "conflicts": len(conflicting),
        "error": {"code": error.code, "reason": str(error)} if error else None,
        "sendable": len(sendable),
        "size_bytes": sum(entry.data_set_size for entry in sendable),
    }


def _what_would_be_refused(run: Run, entries: Sequence[ManifestEntry]) -> tuple[Preflight, TransferError | None]:
    """What could not be sent; or why the destination could not be asked."""
    try:
        answer = _preflight_with_retries(run, entries)
    except TransferError as error:
        return Preflight(), error
    for occurrence in answer.occurrences:
        run.record(occurrence)
    return answer, None


def _by_reason(entries: Iterable[ManifestEntry], answer: Preflight) -> list[dict[str, Any]]:
    """The most frequent first."""
    unsendable = answer.unsendable
    of_reason: defaultdict[str, list[ManifestEntry]] = defaultdict(list)
    for entry in entries:
        if entry.sop_instance_uid in unsendable:
            of_reason[unsendable[entry.sop_instance_uid]].append(entry)
    return [
        {
            "reason": reason,
            "code": answer.code,
            "instances": len(refused),
            "sop_class_uids": sorted({entry.sop_class_uid for entry in refused}),
        }
        for reason, refused in sorted(of_reason.items(), key=lambda item: -len(item[1]))
    ]


def _conflicting(run: Run, instances: Sequence[InstanceAudit]) -> list[HeldBack]:
    """What is held back because the input holds two contents under one UID: the study, or only those when told so."""
    conflicting = {instance.sop_instance_uid for instance in instances if instance.is_conflicting}
    if not conflicting:
        return []
    own = "The input holds other content under the same SOP Instance UID: decide which file is right, and send that"
    others = (
        "Held back, because the input holds different files under one SOP Instance UID "
        f"for {len(conflicting)} of the instances"
    )
    if run.transfer.send_what_can:
        return [HeldBack(uid, own, "conflict") for uid in conflicting]
    return [
        HeldBack(uid, own, "conflict") if uid in conflicting else HeldBack(uid, others, HELD_BACK)
        for uid in (instance.sop_instance_uid for instance in instances)
    ]


def _ask_what_is_there(run: Run, entries: Sequence[ManifestEntry]) -> tuple[list[ManifestEntry], list[ManifestEntry]]:
    """What is still to be sent, and what other content lies in the way of."""
    if not run.transfer.verification.asks:
        return list(entries), []
    listing = _list(run)
    arrived = _note_what_is_there(run, listing)
    return _compare_with_what_was_there(
        run, listing, [entry for entry in entries if entry.sop_instance_uid not in arrived]
    )


def _compare_with_what_was_there(
    run: Run, listing: Listing, entries: Sequence[ManifestEntry]
) -> tuple[list[ManifestEntry], list[ManifestEntry]]:
    """The same content is not sent again; other content that was found once counts while it may be there still."""
    if run.transfer.audit.same_uid_means_same_content or run.stop.is_set():
        return list(entries), []
    there = run.transfer.audit.instances.filter(was_there_before=WasThereBefore.YES)
    uids = set(there.values_list("sop_instance_uid", flat=True)) & (listing.present | listing.unknown)
    to_compare = [entry for entry in entries if entry.sop_instance_uid in uids]
    found = compare_with_what_was_there(run, to_compare) if to_compare else {}
    left_open = [uid for uid, kind in found.items() if kind in _OPEN]
    found |= dict.fromkeys(uids_conflicting_last(run.transfer.audit, left_open), EvidenceKind.CONFLICT)
    settled = {uid for uid, kind in found.items() if kind not in _OPEN}
    to_send = [entry for entry in entries if entry.sop_instance_uid not in settled]
    return to_send, [entry for entry in to_compare if found.get(entry.sop_instance_uid) is EvidenceKind.CONFLICT]


def _held_back_for(conflicting: Sequence[ManifestEntry], entries: Iterable[ManifestEntry]) -> list[HeldBack]:
    reason = (
        f"Held back, because other content is there under the same SOP Instance UID for {len(conflicting)} of the "
        "instances (--send-what-can goes on without them)"
    )
    return [HeldBack(entry.sop_instance_uid, reason, HELD_BACK) for entry in entries]


def _note_what_is_there(run: Run, listing: Listing) -> frozenset[str]:
    """Write down what was there before.

    Returns what an interrupted run must have brought there: begun by it, listed now, and not there when the transfer
    began. A retry sends whatever it was asked to.
    """
    if not run.transfer.attempts.exists():
        _note(run, listing)
        return frozenset()
    begun = uids_maybe_there(run.transfer.audit)
    run.ledger.note_came_from_elsewhere(listing.present - begun)
    if run.transfer.audit.continues is not None:
        return frozenset()
    absent_before = run.transfer.audit.instances.filter(was_there_before=WasThereBefore.NO)
    return listing.present & begun & frozenset(absent_before.values_list("sop_instance_uid", flat=True))


def _list(run: Run) -> Listing:
    """By the first side of the archive that can be asked at all."""
    for side in run.sides:
        listing = side.probe.list_present(run.entries, run.probe_context(side, run.stop))
        for occurrence in listing.occurrences:
            run.record(occurrence)
        if len(listing.unknown) < len(run.entries):
            break
    return listing


def _note(run: Run, listing: Listing) -> None:
    """What an earlier look found there, and this one could not ask about, may be there still."""
    noted = run.transfer.audit.instances.filter(was_there_before=WasThereBefore.YES)
    still = listing.unknown.intersection(noted.values_list("sop_instance_uid", flat=True))
    run.ledger.note_was_there_before(listing.present | still, listing.unknown - still)
    queue.record_event(run.transfer, "was_there_before", present=len(listing.present), unknown=len(listing.unknown))


def _ask_what_would_be_taken(run: Run, entries: Sequence[ManifestEntry]) -> tuple[list[HeldBack], bool]:
    """What is held back, each with its reason, and whether nothing at all is to be sent."""
    try:
        answer = _preflight_with_retries(run, entries)
    except TransferError as error:
        return [HeldBack(entry.sop_instance_uid, str(error), error.code) for entry in entries], True
    for occurrence in answer.occurrences:
        run.record(occurrence)
    if not answer.unsendable:
        return [], False
    unsendable = [HeldBack(uid, reason, answer.code) for uid, reason in answer.unsendable.items()]
    if run.transfer.send_what_can:
        return unsendable, False
    others = (
        f"Held back, because {len(unsendable)} other instances of the study could not be sent "
        "(--send-what-can goes on without them)"
    )
    rest = [entry.sop_instance_uid for entry in entries if entry.sop_instance_uid not in answer.unsendable]
    return unsendable + [HeldBack(uid, others, HELD_BACK) for uid in rest], True


def _preflight_with_retries(run: Run, entries: Sequence[ManifestEntry]) -> Preflight:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return run.method.preflight(entries, run.send_context)
        except TransferError as error:
            queue.record_event(run.transfer, "preflight_failed", error=error.code, reason=str(error), attempt=attempt)
            if not error.retriable or attempt == ATTEMPTS or run.stop.wait(WAIT_SECONDS * attempt):
                raise
    raise AssertionError("unreachable")


def _record_not_sent(run: Run, held_back: Sequence[HeldBack]) -> None:
    if not held_back or run.stop.is_set():
        return
    run.ledger.begin_round()
    now = timezone.now()
    for uid, reason, code in held_back:
        run.ledger.record(Observation(uid, EvidenceKind.NOT_SENT, now, {"code": code, "reason": reason}))
    run.ledger.flush()
