"""Compares what a destination holds with what was, or is to be, sent: a whole study, or a sample of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

from django.conf import settings

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation
from transfers import queue
from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, OrthancEndpoint
from transfers.errors import UNANSWERED
from transfers.probes.content import ContentContext, compare_content
from transfers.probes.sampling import sample_of
from transfers.progress import Progress
from transfers.run import Run, Side
from transfers.selection import uids_sent_over
from transfers.states import State
from transfers.verification import ALL

_BEST_READ_BY: tuple[type[Endpoint], ...] = (OrthancEndpoint, DicomWebEndpoint, DicomEndpoint)
"""Orthanc gives digests besides, and DICOMweb the file in one answer; C-GET needs a context for each SOP class."""


def compare(run: Run) -> None:
    """Compare the study, or as much of it as the transfer's verification says."""
    percent = run.transfer.verification.sample_percent
    entries = run.entries if percent == ALL else sample_of(run.entries, percent, secrets.token_bytes(16))
    queue.record_event(run.transfer, "content_compared", instances=len(entries), of=len(run.entries))
    _compare(run, entries, State.VERIFYING, run.halt, lambda seen: seen)


def compare_what_was_sent_over(run: Run) -> None:
    """Whatever was chosen: only reading back can settle what was sent since other content was found there."""
    uids = uids_sent_over(run.transfer.audit)
    entries = [entry for entry in run.entries if entry.sop_instance_uid in uids]
    if entries:
        queue.record_event(run.transfer, "content_compared", instances=len(entries), of=len(run.entries))
        _compare(run, entries, State.VERIFYING, run.halt, lambda seen: seen)


def compare_with_what_was_there(run: Run, entries: Sequence[ManifestEntry]) -> dict[str, EvidenceKind]:
    """Before anything is sent: compare with what lies there under the same UIDs; other content is a conflict.

    Returns what was found of each SOP Instance UID: identical, equivalent, conflict, or probe-failed.
    """
    return _compare(run, entries, State.PREFLIGHT, run.stop, _as_found_before)


def _as_found_before(seen: Observation) -> Observation:
    return replace(seen, kind=EvidenceKind.CONFLICT) if seen.kind is EvidenceKind.DIFFERENT else seen


def _compare(
    run: Run,
    entries: Sequence[ManifestEntry],
    phase: State,
    stop: Event,
    named: Callable[[Observation], Observation],
) -> dict[str, EvidenceKind]:
    """What one side of the archive does not let be read is read by the next."""
    found: dict[str, EvidenceKind] = {}
    sides = sorted(run.sides, key=lambda side: _BEST_READ_BY.index(type(side.endpoint)))
    for number, side in enumerate(sides, start=1):
        run.ledger.begin_round()
        unread = set()
        for seen in compare_content(entries, _context(run, side, stop)):
            if isinstance(seen, Observation):
                run.ledger.record(named(seen))
                found[seen.sop_instance_uid] = named(seen).kind
                if _is_unread(seen):
                    unread.add(seen.sop_instance_uid)
            elif seen is not None:
                run.record(seen)
            run.ledger.flush_if_due()
            run.watch(Progress(phase, len(entries), len(found) - len(unread)))
        entries = [entry for entry in entries if entry.sop_instance_uid in unread]
        if not entries or stop.is_set() or number == len(sides):
            break
    run.ledger.flush()
    return found


def _is_unread(seen: Observation) -> bool:
    return seen.kind is EvidenceKind.PROBE_FAILED and seen.detail.get("code") in UNANSWERED


def _context(run: Run, side: Side, stop: Event) -> ContentContext:
    destination = run.transfer.destination
    rows = run.transfer.audit.instances.exclude(sha256="")
    return ContentContext(
        endpoint=side.endpoint,
        digests=dict(rows.values_list("sop_instance_uid", "sha256")),
        # Of what somebody else sent nothing is known: if the digests are equal, the files are.
        keeps_bytes=run.transfer.method is None or run.method.keeps_bytes,
        retry_seconds=destination.probe_retry_seconds,
        stop=stop,
        source=run.source,
        side_by_side=destination.associations,
        spool_folder=Path(settings.FILE_UPLOAD_TEMP_DIR),
    )
