"""How far each instance of an audit has come, one letter an instance: what a grid of instances is painted from. Pure.

While the audit is open a cell says what was seen, never *confirmed*: that is judged when it is sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from audit.judgements import Fact, Ground, InstanceJudgement, InstanceVerdict
from audit.observations import MEANING, EvidenceKind, Family
from audit.verdicts import judge_instance, while_open


class Cell(StrEnum):
    """The first six are of open audits only, the last two of sealed ones only."""

    PENDING = "."
    NOT_SENT = "x"
    SENT = "s"
    """It is on its way: no answer yet."""
    NO_ANSWER = "n"
    """Sending it began, and what came of that is not clear."""
    ACKNOWLEDGED = "a"
    PRESENT = "p"
    """Proved so far: listed, committed or read back, and nothing denies it."""
    REFUTED = "r"
    UNPROVEN = "u"
    CONFIRMED = "c"


WORDS: Mapping[Cell, str] = {
    Cell.REFUTED: "refuted",
    Cell.UNPROVEN: "unproven",
    Cell.NOT_SENT: "not-sent",
    Cell.NO_ANSWER: "no-answer",
    Cell.PENDING: "pending",
    Cell.SENT: "sent",
    Cell.ACKNOWLEDGED: "acknowledged",
    Cell.PRESENT: "present",
    Cell.CONFIRMED: "confirmed",
}
"""What pages call them, the worst first: where one cell stands for several instances, the worst is shown."""

WORST_FIRST = tuple(WORDS)

_OF_VERDICT: Mapping[str, Cell] = {
    InstanceVerdict.CONFIRMED: Cell.CONFIRMED,
    InstanceVerdict.REFUTED: Cell.REFUTED,
    InstanceVerdict.UNPROVEN: Cell.UNPROVEN,
    InstanceVerdict.PENDING: Cell.PENDING,
}


def cell_of_verdict(verdict: str) -> Cell:
    """Of a sealed audit: what was judged."""
    return _OF_VERDICT[verdict]


def cell_while_open(judgement: InstanceJudgement, facts: frozenset[Fact]) -> Cell:
    """Of an open audit: what these facts, as they are judged now, show so far."""
    shown = while_open(judgement)
    if shown.verdict is InstanceVerdict.REFUTED:
        return Cell.REFUTED
    if shown.verdict is InstanceVerdict.CONFIRMED and shown.ground is not Ground.ACKNOWLEDGED:
        return Cell.PRESENT
    return _reached(facts)


_CLAIMS = {Family.SENDING, Family.ANSWER, Family.JOB}
_REACHED: Mapping[Ground, Cell] = {
    Ground.NOT_ASKED: Cell.PENDING,
    Ground.NOT_SENT: Cell.NOT_SENT,
    Ground.ACKNOWLEDGED_ONLY: Cell.ACKNOWLEDGED,
}


def _reached(facts: frozenset[Fact]) -> Cell:
    """How far our own sending brought it, whatever a probe says of it."""
    claims = frozenset(fact for fact in facts if _CLAIMS & set(MEANING[fact.kind][0]))
    ground = judge_instance(claims).ground
    if ground is Ground.NO_ANSWER and _is_under_way(claims):
        return Cell.SENT
    return _REACHED.get(ground, Cell.NO_ANSWER)


def _is_under_way(claims: frozenset[Fact]) -> bool:
    """Sent in the newest attempt, which has not given up on its answer."""
    newest = max(fact.round for fact in claims)
    return {fact.kind for fact in claims if fact.round == newest} == {EvidenceKind.SENT}


BLOCK = 16
"""How many cells are compared at once; what is told of a change may hold a few that are as they were."""


def changed_runs(before: str, after: str) -> list[tuple[int, str]]:
    """Where the same instances have other cells now, as (first position, the cells from there on)."""
    runs: list[tuple[int, str]] = []
    end = -1
    for start in range(0, len(after), BLOCK):
        cells = after[start : start + BLOCK]
        if cells == before[start : start + BLOCK]:
            continue
        if start == end:
            first, earlier = runs.pop()
            runs.append((first, earlier + cells))
        else:
            runs.append((start, cells))
        end = start + BLOCK
    return runs
