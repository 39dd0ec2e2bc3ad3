"""How far the phase of a transfer is that goes on, how fast it goes, and how long it will take."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple, cast

from django.utils import timezone

from audit.live import LiveAudit
from transfers.events import Phase, Progress
from transfers.live.rates import Rate
from transfers.live.rows import TransferRow, newest_attempt
from transfers.models import Attempt
from transfers.states import State


class _Reading(NamedTuple):
    done: int
    total: int
    done_bytes: int = 0
    total_bytes: int = 0


class Meter:
    """Of one transfer: it is asked at every look, and so knows the speed."""

    def __init__(self) -> None:
        self._attempt: Attempt | None = None
        self._phase: tuple[str, int] = ("", 0)
        self._rate = Rate()

    def read(self, row: TransferRow, audit: LiveAudit, now: float) -> Progress | None:
        """None where no process works on it. `now` is of the monotonic clock."""
        if not row.is_held:
            self._phase = ("", 0)
            return None
        reading = self._read(row, audit)
        self._follow(row.state, audit.last_round, now)
        self._rate.add(now, reading.done, reading.done_bytes)
        instances, size_bytes = self._rate.per_second()
        return {
            "phase": cast(Phase, row.state),
            "done": reading.done,
            "total": reading.total,
            "done_bytes": reading.done_bytes,
            "total_bytes": reading.total_bytes,
            "instances_per_second": round(instances, 1),
            "bytes_per_second": round(size_bytes),
            "seconds_left": ceil((reading.total_bytes - reading.done_bytes) / size_bytes) if size_bytes >= 1 else None,
        }

    def _read(self, row: TransferRow, audit: LiveAudit) -> _Reading:
        if row.state in {State.VERIFYING, State.ROLLING_BACK}:
            return _Reading(min(audit.of_round(audit.last_round).asked, row.instances), row.instances)
        attempt = self._find_attempt(row, audit) if row.state == State.SENDING else None
        if attempt is None:
            return _Reading(0, row.instances, 0, row.size_bytes)
        count = audit.of_round(attempt.round)
        done, done_bytes = min(count.answered, attempt.instances), min(count.answered_bytes, attempt.size_bytes)
        return _Reading(done, attempt.instances, done_bytes, attempt.size_bytes)

    def _find_attempt(self, row: TransferRow, audit: LiveAudit) -> Attempt | None:
        """The attempt that goes on; its round is allotted a moment before it is written down."""
        if self._attempt is None or self._attempt.round != audit.last_round:
            newest = newest_attempt(row.pk)
            self._attempt = newest if newest is not None and newest.round == audit.last_round else None
        return self._attempt

    def _follow(self, state: str, of_round: int, now: float) -> None:
        """Each phase has a speed of its own; who comes in the middle of an attempt sees its speed so far at once."""
        if self._phase == (state, of_round):
            return
        self._phase, self._rate = (state, of_round), Rate()
        if state == State.SENDING and self._attempt is not None:
            seconds = (timezone.now() - self._attempt.started_at).total_seconds()
            self._rate.add(now - max(0.0, seconds), 0, 0)
