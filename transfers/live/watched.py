"""One transfer that is watched, as it was last told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID
from weakref import WeakValueDictionary

from audit.cells import changed_runs
from audit.live import LiveAudit
from transfers.events import Counts, Funnel, Progress, TransferChanged, TransferMembers, TransferSnapshot
from transfers.live.meters import Meter
from transfers.live.rows import TransferRow, read_transfers

PROGRESS_SECONDS = 1.0
"""So often a speed is told that changes although nothing arrives: it falls."""


class LiveAudits:
    """The audits that are followed, each once however many watch it."""

    def __init__(self) -> None:
        self._by_pk: WeakValueDictionary[int, LiveAudit] = WeakValueDictionary()

    def follow(self, row: TransferRow) -> LiveAudit:
        """The newest audit of a transfer, at least as new as the row."""
        audit = self._by_pk.get(row.audit_pk)
        if audit is None:
            audit = self._by_pk[row.audit_pk] = LiveAudit(row.audit_pk)
        elif audit.revision < row.audit_revision:
            audit.refresh()
        return audit


class _Seen(NamedTuple):
    row: TransferRow
    audit: LiveAudit
    cells: str
    tally: Mapping[str, int]
    progress: Progress | None


class WatchedTransfer:
    """What `snapshot` says is what `look` last told."""

    pace_seconds = 0.0

    def __init__(self, public_id: UUID, audits: LiveAudits) -> None:
        self.public_id = public_id
        self._audits = audits
        self._meter = Meter()
        self._told: _Seen | None = None
        self._told_at = 0.0

    @property
    def is_busy(self) -> bool:
        return self._told is not None and self._told.row.is_busy

    def look(self, rows: Mapping[UUID, TransferRow], now: float) -> TransferChanged | None:
        """Take what was read of it; returns what there is to tell, if anything. The first look tells nothing."""
        before, seen = self._told, self._see(rows[self.public_id], now)
        if before is not None and not self._is_news(before, seen, now):
            return None
        self._told, self._told_at = seen, now
        return None if before is None else _changed(before, seen)

    def snapshot(self) -> TransferSnapshot:
        assert self._told is not None
        return {"type": "transfer.snapshot", "cells": self._told.cells, **_members(self._told)}

    def unchanged(self) -> TransferChanged:
        """For whoever comes back and has missed nothing."""
        assert self._told is not None
        return _changed(self._told, self._told)

    def _see(self, row: TransferRow, now: float) -> _Seen:
        before = self._told
        if before is not None and before.row.revision == row.revision:
            return before._replace(row=row, progress=self._meter.read(row, before.audit, now))
        audit = self._audits.follow(row)
        if audit.is_sealed and row.sealed_at is None:  # just since the row was read; the state changed with it
            return self._see(read_transfers(public_id=row.public_id)[0], now)
        return _Seen(row, audit, audit.cells, audit.tally, self._meter.read(row, audit, now))

    def _is_news(self, before: _Seen, seen: _Seen, now: float) -> bool:
        if before.row.revision != seen.row.revision:
            return True
        return before.progress != seen.progress and now - self._told_at >= PROGRESS_SECONDS


def counts_of(tally: Mapping[str, int]) -> Counts:
    return {
        "instances": tally["instances"],
        "confirmed": tally["confirmed"],
        "refuted": tally["refuted"],
        "unproven": tally["unproven"],
        "pending": tally["pending"],
    }


def _funnel_of(tally: Mapping[str, int]) -> Funnel:
    return {
        "expected": tally["instances"],
        "sent": tally["sent"],
        "acknowledged": tally["acknowledged"],
        # What was sealed before anybody asked for these has no number of them.
        "committed": tally.get("committed", 0),
        "present": tally["present"],
        "compared": tally.get("compared", 0),
    }


def _members(seen: _Seen) -> TransferMembers:
    return {
        "id": str(seen.row.public_id),
        "revision": seen.row.revision,
        "state": seen.row.state,
        "verdict": seen.row.verdict,
        "proof": seen.row.proof or None,
        "events": seen.row.events,
        "counts": counts_of(seen.tally),
        "funnel": _funnel_of(seen.tally),
        "progress": seen.progress,
    }


def _changed(before: _Seen, seen: _Seen) -> TransferChanged:
    runs = changed_runs(before.cells, seen.cells)
    return {"type": "transfer.changed", "previous": before.row.revision, "cells": runs, **_members(seen)}
