"""How many instances came how far: expected, sent, acknowledged, present; and how many were lost where. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any


class Step(StrEnum):
    EXPECTED = "expected"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    PRESENT = "present"


_LOST = {Step.SENT: "not sent", Step.ACKNOWLEDGED: "not acknowledged", Step.PRESENT: "not found"}


def steps_of(
    tally: Mapping[str, int], *, sends: bool, asks: bool, is_over: bool, url_of_missing: Callable[[str], str]
) -> list[dict[str, Any]]:
    """The steps as `templates/components/funnel.html` wants them.

    `sends`: whether anything was ever to be sent; `asks`: whether the destination is asked afterwards. While a transfer
    goes on (`is_over` is false) what has not come so far yet is not lost.
    """
    expected = tally.get("instances", 0)
    steps = []
    for step in Step:
        count = expected if step is Step.EXPECTED else tally.get(step, 0)
        unknown = _why_unknown(step, count, sends=sends, asks=asks)
        missing = expected - count if is_over and not unknown else 0
        losses = [{"text": f"−{missing:,} {_LOST[step]}", "url": url_of_missing(step)}] if missing else []
        steps.append(
            {
                "key": step.value,
                "label": step.value.capitalize(),
                "count": count,
                "of": expected,
                "tone": _tone(step, count, expected, is_over=is_over),
                "losses": losses,
                "unknown": unknown,
            }
        )
    return steps


def _why_unknown(step: Step, count: int, *, sends: bool, asks: bool) -> str:
    """Why nothing is known of a step, or nothing where something is."""
    if step in {Step.SENT, Step.ACKNOWLEDGED} and not sends:
        return "nothing is sent"
    return "not asked" if step is Step.PRESENT and not asks and not count else ""


def _tone(step: Step, count: int, expected: int, *, is_over: bool) -> str:
    """What is only claimed has the accent's colour, what is proved a verdict's."""
    if step is Step.EXPECTED:
        return ""
    if step is not Step.PRESENT:
        return "accent"
    if count == expected:
        return "committed"
    if not is_over:
        return "accent"
    return "partial" if count else "nothing-stored"
