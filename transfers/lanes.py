"""The runs of a transfer as lanes of time, from its events: what took how long. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from transfers.states import HELD, State
from transfers.wording import duration_text, size_text

LANE = 1000
"""A lane is so wide; what took no time to speak of is still seen."""
NARROWEST = 6

_PARTS = {
    State.PREFLIGHT: ("preflight", "asked before sending"),
    State.SENDING: ("sending", "sent"),
    State.VERIFYING: ("verifying", "asked what arrived"),
    State.ROLLING_BACK: ("broken", "removed again"),
}
_BROKEN = frozenset({State.FAILED, State.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class StateChange:
    """An event `state_changed`."""

    at: datetime
    after: State


@dataclass(frozen=True, slots=True)
class Sending:
    """What an attempt set out to send."""

    started_at: datetime
    ended_at: datetime | None
    instances: int
    size_bytes: int


@dataclass
class _Run:
    began_at: datetime
    phases: list[StateChange] = field(default_factory=list)
    ended: StateChange | None = None


def lanes_of(changes: Iterable[StateChange], sendings: Sequence[Sending], now: datetime) -> list[dict[str, Any]]:
    """As `templates/transfers/_attempts.html` wants them; all on one scale, so that lanes can be compared."""
    runs = list(_runs(changes))
    longest = max((_seconds(run, now) for run in runs), default=0.0) or 1.0
    return [_lane(number, run, sendings, longest, now) for number, run in enumerate(runs, 1)]


def _runs(changes: Iterable[StateChange]) -> Iterable[_Run]:
    """From the moment a process took the transfer to the one it let go of it."""
    run: _Run | None = None
    for change in changes:
        if change.after is State.CLAIMED:
            if run is not None:  # taken over from a process that died
                yield run
            run = _Run(change.at)
        elif change.after not in HELD:
            if run is not None:
                run.ended = change
                yield run
            run = None
        else:
            run = run or _Run(change.at)  # born claimed, by the command line
            run.phases.append(change)
    if run is not None:
        yield run


def _lane(number: int, run: _Run, sendings: Sequence[Sending], longest: float, now: datetime) -> dict[str, Any]:
    ends = [phase.at for phase in run.phases[1:]] + [run.ended.at if run.ended else now]
    parts, words = [], []
    for phase, end in zip(run.phases, ends, strict=False):
        if phase.after not in _PARTS:
            continue
        kind, word = _PARTS[phase.after]
        seconds = (end - phase.at).total_seconds()
        label = _sent_text(sendings, phase.at, end) if phase.after is State.SENDING else word
        label = label or word
        text = label if label.startswith("sent ") else f"{label} {duration_text(seconds)}"
        x = round((phase.at - run.began_at).total_seconds() / longest * LANE)
        width = max(NARROWEST, round(seconds / longest * LANE))
        parts.append({"kind": kind, "x": min(x, LANE - NARROWEST), "width": width, "label": text})
        words.append(text)
    if run.ended and run.ended.after in _BROKEN:
        x = min(round(_seconds(run, now) / longest * LANE), LANE - NARROWEST)
        parts.append({"kind": "broken", "x": x, "width": NARROWEST, "label": run.ended.after.value})
        words.append(run.ended.after.value)
    return {"number": number, "started_at": run.began_at, "text": " · ".join(words), "parts": parts}


def _sent_text(sendings: Sequence[Sending], start: datetime, end: datetime) -> str:
    """ "sent 412 in 1.1 s (374/s, 9.1 MB/s)": of the attempt that began in that time."""
    found = next((each for each in sendings if start <= each.started_at <= end), None)
    if found is None:
        return ""
    taken = ((found.ended_at or end) - found.started_at).total_seconds()
    if not found.ended_at or taken <= 0:
        return ""
    rate = f"{found.instances / taken:,.0f}/s, {size_text(found.size_bytes / taken)}/s"
    return f"sent {found.instances:,} in {duration_text(taken)} ({rate})"


def _seconds(run: _Run, now: datetime) -> float:
    return ((run.ended.at if run.ended else now) - run.began_at).total_seconds()
