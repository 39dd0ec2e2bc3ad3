"""How many instances came how far: expected, sent, acknowledged, found there; and how many were lost where. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from audit.standings import DIFFERENT


class Step(StrEnum):
    EXPECTED = "expected"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    COMMITTED = "committed"
    PRESENT = "present"
    COMPARED = "compared"


_LABELS = {step: step.value.capitalize() for step in Step} | {Step.COMPARED: "Same content"}
_LOST = {
    Step.SENT: "not sent",
    Step.ACKNOWLEDGED: "not acknowledged",
    Step.COMMITTED: "not committed",
    Step.PRESENT: "not found",
}
_OF_A_JOB = _LABELS | {Step.SENT: "Given to a job", Step.ACKNOWLEDGED: "Sent, says the job"}
_LOST_BY_A_JOB = _LOST | {Step.SENT: "given to no job", Step.ACKNOWLEDGED: "not said to be sent"}
_CLAIMED = frozenset({Step.SENT, Step.ACKNOWLEDGED})


@dataclass(frozen=True, slots=True)
class Asked:
    """What was to be done: a step that was not is not shown, or shown as not known."""

    sends: bool = True
    """Whether anything was ever to be sent."""
    by_job: bool = False
    """Whether a source sends by itself: nothing is acknowledged to us then."""
    asks: bool = True
    """Whether the destination is asked for lists afterwards."""
    commits: bool = False
    """Whether it was asked to commit."""
    compares: bool = False
    """Whether contents were compared."""


def steps_of(
    tally: Mapping[str, int], asked: Asked, *, is_over: bool, url_of_missing: Callable[[str], str]
) -> list[dict[str, Any]]:
    """The steps as `templates/components/funnel.html` wants them.

    While a transfer goes on (`is_over` is false) what has not come so far yet is not lost.
    """
    return [_step(step, tally, asked, is_over, url_of_missing) for step in _steps(asked)]


def _steps(asked: Asked) -> Iterator[Step]:
    yield from (Step.EXPECTED, Step.SENT, Step.ACKNOWLEDGED)
    if asked.commits:
        yield Step.COMMITTED
    yield Step.PRESENT
    if asked.compares:
        yield Step.COMPARED


def _step(
    step: Step, tally: Mapping[str, int], asked: Asked, is_over: bool, url_of_missing: Callable[[str], str]
) -> dict[str, Any]:
    expected = tally.get("instances", 0)
    count = expected if step is Step.EXPECTED else tally.get(step, 0)
    unknown = _why_unknown(step, count, asked)
    labels, losses = (_OF_A_JOB, _LOST_BY_A_JOB) if asked.by_job else (_LABELS, _LOST)
    lost = _lost(step, tally, expected - count, losses) if is_over and not unknown else {}
    return {
        "key": step.value,
        "label": labels[step],
        "count": count,
        "of": expected,
        "tone": _tone(step, count, tally, is_over=is_over),
        "losses": [{"text": text, "url": url_of_missing(missing)} for missing, text in lost.items()],
        "unknown": unknown,
    }


def _why_unknown(step: Step, count: int, asked: Asked) -> str:
    """Why nothing is known of a step, or nothing where something is."""
    if step in _CLAIMED and not asked.sends:
        return "nothing is sent"
    return "not asked" if step is Step.PRESENT and not asked.asks and not count else ""


def _lost(step: Step, tally: Mapping[str, int], missing: int, losses: Mapping[Step, str]) -> dict[str, str]:
    """In words, by what a link to them limits the table to. What was not to be compared is not lost."""
    if step is not Step.COMPARED:
        return {step.value: f"−{missing:,} {losses[step]}"} if missing else {}
    different = tally.get(DIFFERENT, 0)
    texts = {DIFFERENT: (different, f"−{different:,} different")}
    texts[step.value] = (missing - different, f"{missing - different:,} not compared")
    return {key: text for key, (count, text) in texts.items() if count}


def _tone(step: Step, count: int, tally: Mapping[str, int], *, is_over: bool) -> str:
    """What is only claimed has the accent's colour, what is proved a verdict's."""
    if step is Step.EXPECTED:
        return ""
    if step in _CLAIMED:
        return "accent"
    is_whole = count == tally.get("instances", 0)
    if step is Step.COMPARED and count:  # of a sample, what was compared is all that there is
        is_whole = is_whole or (is_over and not tally.get(DIFFERENT, 0))
    if is_whole:
        return "committed"
    if not is_over:
        return "accent"
    return "partial" if count else "nothing-stored"
