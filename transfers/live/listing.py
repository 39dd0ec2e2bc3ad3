"""The list of transfers that is watched, as it was last told."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Literal
from uuid import UUID

from django.utils import timezone

from audit.live import LiveAudit
from transfers.events import ListedTransfer, Progress, Totals, TransfersChanged, TransfersSnapshot
from transfers.listing import count_by_verdict, count_missing, count_overdue
from transfers.live import rows
from transfers.live.meters import Meter
from transfers.live.rows import TransferRow
from transfers.live.watched import PROGRESS_SECONDS, LiveAudits, counts_of
from transfers.states import HELD, State

NEWEST = 50
"""So many are in the snapshot, beside all that run: a page of the list."""
LATE_SECONDS = 10.0
"""On PostgreSQL an event may appear after one with a higher id: events are looked at again for so long."""
MOVED_MAXIMUM = 500
"""Of those that moved just now, only so many of the newest are told."""
_VERDICTS: tuple[Literal["committed", "partial", "nothing-stored", "unverifiable"], ...] = (
    "committed",
    "partial",
    "nothing-stored",
    "unverifiable",
)
_NONE: Totals = {
    "committed": 0,
    "partial": 0,
    "nothing-stored": 0,
    "unverifiable": 0,
    "missing": 0,
    "overdue": 0,
    "running": 0,
    "queued": 0,
}


class _Events:
    """Which transfers had events in the last seconds."""

    def __init__(self) -> None:
        self._newest: deque[tuple[float, int]] = deque()

    def look(self, now: float) -> list[int]:
        newest, moved = rows.events_after(self._newest[0][1]) if self._newest else (rows.newest_event(), set())
        self._newest.append((now, newest))
        while len(self._newest) > 1 and self._newest[1][0] < now - LATE_SECONDS:
            self._newest.popleft()
        return sorted(moved)[-MOVED_MAXIMUM:]


class WatchedList:
    """What `snapshot` says is what `look` last told."""

    pace_seconds = 0.5

    def __init__(self, audits: LiveAudits) -> None:
        self._audits = audits
        self._events = _Events()
        self._followed: dict[int, tuple[Meter, LiveAudit]] = {}
        """Those that run."""
        self._listed: dict[int, ListedTransfer] = {}
        """As told: the newest, those that run, and those that moved just now."""
        self._newest = 0
        """Of those that anybody was told of."""
        self._totals = _NONE
        self._counted_on: date | None = None
        self._progress_told_at = 0.0
        self._revision = 0

    @property
    def is_busy(self) -> bool:
        return self._totals["running"] + self._totals["queued"] > 0

    def look(self, _rows: Mapping[UUID, TransferRow], now: float) -> TransfersChanged | None:
        """Look for what changed; returns what there is to tell, if anything. The first look tells nothing."""
        is_first, previous = self._revision == 0, self._revision
        told = self._look_at_transfers(now)
        has_other_totals = self._count(list(told.values()))
        if not (is_first or told or has_other_totals):
            return None
        self._revision = max(self._revision + 1, time.time_ns() // 1_000_000)
        created = [pk for pk in told if pk > self._newest]
        self._newest = max([self._newest, *created])
        return None if is_first else self._changed(previous, told, created)

    def snapshot(self) -> TransfersSnapshot:
        newest_first = [self._listed[pk] for pk in sorted(self._listed, reverse=True)]
        return {
            "type": "transfers.snapshot",
            "revision": self._revision,
            "totals": self._totals,
            "transfers": newest_first,
        }

    def unchanged(self) -> TransfersChanged:
        """For whoever comes back and has missed nothing."""
        return self._changed(self._revision, {}, [])

    def _changed(self, previous: int, told: Mapping[int, ListedTransfer], created: list[int]) -> TransfersChanged:
        return {
            "type": "transfers.changed",
            "revision": self._revision,
            "previous": previous,
            "totals": self._totals,
            "created": [told[pk]["id"] for pk in created],
            "transfers": list(told.values()),
        }

    def _look_at_transfers(self, now: float) -> dict[int, ListedTransfer]:
        """Those of which something else is to be told than before, the newest first."""
        moved = self._events.look(now)
        revisions = rows.revisions_of_newest(NEWEST) | rows.revisions_of(state__in=HELD)
        revisions |= rows.revisions_of(pk__in=moved) if moved else {}
        changed = [pk for pk, revision in revisions.items() if self._revision_told(pk) != revision]
        self._listed = {pk: listed for pk, listed in self._listed.items() if pk in revisions}
        listed = self._list(self._with_progress(changed, now), now)
        told = {pk: each for pk, each in listed.items() if self._listed.get(pk) != each}
        self._listed |= told
        return {pk: told[pk] for pk in sorted(told, reverse=True)}

    def _revision_told(self, pk: int) -> int:
        return self._listed[pk]["revision"] if pk in self._listed else -1

    def _with_progress(self, changed: Iterable[int], now: float) -> set[int]:
        """Once a second also those that run and of which nothing arrives: their speed falls."""
        if now - self._progress_told_at < PROGRESS_SECONDS:
            return set(changed)
        self._progress_told_at = now
        return {*changed, *self._followed}

    def _list(self, pks: set[int], now: float) -> dict[int, ListedTransfer]:
        read = rows.read_transfers(pk__in=pks) if pks else []
        return {row.pk: self._listed_transfer(row, now) for row in read}

    def _listed_transfer(self, row: TransferRow, now: float) -> ListedTransfer:
        tally, progress = self._follow(row, now) if row.is_held else (row.tally, None)
        if not row.is_held:
            self._followed.pop(row.pk, None)
        return {
            "id": str(row.public_id),
            "revision": row.revision,
            "state": row.state,
            "verdict": row.verdict,
            "proof": row.proof or None,
            "counts": counts_of(tally) if tally else None,
            "progress": progress,
        }

    def _follow(self, row: TransferRow, now: float) -> tuple[Mapping[str, int], Progress | None]:
        meter = self._followed[row.pk][0] if row.pk in self._followed else Meter()
        audit = self._audits.follow(row)
        self._followed[row.pk] = meter, audit
        # Sealed since the row was read: the next look tells the state that changed with it.
        tally = {} if audit.is_sealed and row.sealed_at is None else audit.tally
        return tally, meter.read(row, audit, now)

    def _count(self, told: list[ListedTransfer]) -> bool:
        """Count again what may have changed; returns whether it has."""
        before = self._totals
        by_state = rows.count_by_state(rows.BUSY)
        queued = by_state.pop(State.QUEUED.value, 0)
        self._totals = {**before, "running": sum(by_state.values()), "queued": queued}
        now = timezone.now()
        if now.date() != self._counted_on or any(each["progress"] is None for each in told):
            self._counted_on = now.date()
            by_verdict = count_by_verdict(now)
            for verdict in _VERDICTS:
                self._totals[verdict] = by_verdict.get(verdict, 0)
            self._totals["missing"], self._totals["overdue"] = count_missing(), count_overdue()
        return self._totals != before
