"""Follows an audit while evidence pours in: what a page shows of it, from the rows that are new since the last look."""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from audit.cells import Cell, cell_of_verdict, cell_while_open
from audit.judgements import Fact, InstanceVerdict, Policy, WasThereBefore
from audit.models import Audit
from audit.observations import EvidenceKind
from audit.standings import COMPARED, KINDS, found_by
from audit.tallies import FOUND, STEPS, count_rows
from audit.verdicts import judge_instance

_COLUMNS = (
    "continues_id",
    "acknowledgement_means_stored",
    "same_uid_means_same_content",
    "is_inquiry",
    "last_round",
    "revision",
    "sealed_at",
)
_INSTANCES = (
    "SELECT id, position, data_set_size, was_there_before FROM audit_instanceaudit WHERE audit_id = %s ORDER BY id"
)
_WAS_THERE = "SELECT position, was_there_before FROM audit_instanceaudit WHERE audit_id = %s"
_VERDICTS = "SELECT verdict FROM audit_instanceaudit WHERE audit_id = %s ORDER BY position"
_DETAIL = f"CASE WHEN evidence.kind = '{EvidenceKind.NO_ANSWER}' THEN evidence.detail END"
_EVIDENCE = (
    f"SELECT evidence.id, instance.position, evidence.kind, evidence.round, {_DETAIL} "  # noqa: S608
    "FROM audit_instanceaudit instance JOIN audit_evidence evidence ON evidence.instance_id = instance.id "
    "WHERE instance.audit_id = %s"
)
# The sum keeps the database from looking through all evidence of these instances: the new rows are at the end.
_NEW_EVIDENCE = (
    f"SELECT evidence.id, evidence.instance_id, evidence.kind, evidence.round, {_DETAIL} FROM audit_evidence evidence "  # noqa: S608
    "WHERE evidence.id > %s AND evidence.instance_id + 0 BETWEEN %s AND %s ORDER BY evidence.id"
)
_Row = tuple[int, int, str, int, str | None]

_BEFORE = tuple(WasThereBefore)
_NUMBERS = {before.value: number for number, before in enumerate(_BEFORE)}
_BEGUN = frozenset(STEPS["sent"])
_ANSWERS = frozenset(
    {
        EvidenceKind.ACKNOWLEDGED,
        EvidenceKind.REFUSED,
        EvidenceKind.ANSWER_UNCLEAR,
        EvidenceKind.NO_ANSWER,
        EvidenceKind.NOT_SENT,
        EvidenceKind.JOB_SUCCEEDED,
        EvidenceKind.JOB_FAILED,
    }
)
_ASKED = frozenset({EvidenceKind.PRESENT, EvidenceKind.ABSENT, *KINDS[COMPARED]})
_STEPS = (*STEPS, *FOUND)


@dataclass(slots=True)
class RoundCount:
    """What one round has brought so far."""

    answered: int = 0
    """How many instances have their answer, or will have none in this round."""
    answered_bytes: int = 0
    asked: int = 0
    """For how many a probe has said what it found."""


class LiveAudit:
    """How far each instance of one audit has come, and how many; `refresh` reads what is new since.

    An audit has one writer at a time, which holds the audit's row until its transaction ends. So the ids of the
    evidence of one audit ascend in the order in which they can be seen, and none appears below the last one read.
    An audit that continues another has the same instances at the same positions.

    Of an open audit nothing is judged: none of its instances is counted as confirmed or unproven. What other transfers
    sent under the same UIDs is weighed only when it is sealed. Not for two threads at once.
    """

    def __init__(self, audit_pk: int) -> None:
        self.audit_pk = audit_pk
        self.is_sealed = False
        self.revision = -1
        self.last_round = 0
        self._cells = bytearray()
        self._cases: list[_Case] = []
        self._tally: dict[str, int] = {}
        self._rounds: defaultdict[int, RoundCount] = defaultdict(RoundCount)
        columns = self._read_columns()
        self._note(columns)
        if self.is_sealed:
            self._read_verdicts()
        else:
            self._policy = Policy(columns["acknowledgement_means_stored"], columns["same_uid_means_same_content"])
            self._is_inquiry = columns["is_inquiry"]
            self._read_instances()
            self._read_evidence(columns["continues_id"])
            self._paint(range(len(self._cells)))

    @property
    def cells(self) -> str:
        """A letter an instance, in the order of the manifest: see `audit.cells`."""
        return self._cells.decode("ascii")

    @property
    def tally(self) -> dict[str, int]:
        """The same counts as `Audit.tally`; of an open audit from the rows that were read."""
        self._tally = self._tally or self._count()
        return self._tally

    def of_round(self, number: int) -> RoundCount:
        """How far a round of this audit is; of a sealed audit nothing is known any more."""
        return self._rounds.get(number, RoundCount())

    def refresh(self) -> list[int]:
        """Read what was written since the last look; returns the positions whose cell changed, ascending."""
        if self.is_sealed:
            return []
        columns = self._read_columns()
        if columns["revision"] == self.revision and columns["sealed_at"] is None:
            return []
        has_new_round = columns["last_round"] != self.last_round
        self._note(columns)
        before = bytes(self._cells)
        if columns["sealed_at"] is not None:
            self._read_verdicts()
            return [position for position, cell in enumerate(self._cells) if cell != before[position]]
        self._tally = {}
        positions = self._take(self._new_rows())
        if has_new_round:  # what was there before is noted ahead of the round that it matters to
            self._read_was_there()
            positions = set(range(len(self._cells)))
        self._paint(positions)
        return [position for position in sorted(positions) if self._cells[position] != before[position]]

    def _read_columns(self) -> dict[str, Any]:
        return dict(Audit.objects.values(*_COLUMNS).get(pk=self.audit_pk))

    def _note(self, columns: dict[str, Any]) -> None:
        self.revision = columns["revision"]
        self.last_round = columns["last_round"]
        self.is_sealed = columns["sealed_at"] is not None

    def _read_verdicts(self) -> None:
        audit = Audit.objects.get(pk=self.audit_pk)
        self._tally = audit.tally or count_rows(audit)
        letters = {verdict.value: cell_of_verdict(verdict).value for verdict in InstanceVerdict}
        self._cells[:] = "".join([letters[verdict] for (verdict,) in _rows(_VERDICTS, self.audit_pk)]).encode()
        self._cases = []
        self._rounds.clear()

    def _read_instances(self) -> None:
        rows = list(_rows(_INSTANCES, self.audit_pk))
        self._ids = array("q", [row[0] for row in rows])
        self._positions = array("q", [row[1] for row in rows])
        by_position = sorted(rows, key=lambda row: row[1])
        self._sizes = array("q", [row[2] for row in by_position])
        self._was_there = bytearray(_NUMBERS[row[3]] for row in by_position)
        self._cases = [_Case(frozenset())] * len(rows)
        self._cells = bytearray(Cell.PENDING.value.encode() * len(rows))
        self._last_id = 0

    def _read_was_there(self) -> None:
        for position, was_there in _rows(_WAS_THERE, self.audit_pk):
            self._was_there[position] = _NUMBERS[was_there]

    def _read_evidence(self, continues_pk: int | None) -> None:
        while continues_pk is not None:
            self._take(_rows(_EVIDENCE, continues_pk))
            continues_pk = Audit.objects.values_list("continues_id", flat=True).get(pk=continues_pk)
        self._last_id = 0
        self._take(_rows(_EVIDENCE, self.audit_pk))

    def _new_rows(self) -> Iterator[_Row]:
        """New evidence, with positions. On PostgreSQL rows of other audits may lie between: they are left out."""
        if not self._ids:
            return
        ids, positions = self._ids, self._positions
        for pk, instance_pk, *rest in _rows(_NEW_EVIDENCE, self._last_id, ids[0], ids[-1]):
            rank = bisect_left(ids, instance_pk)
            if ids[rank] == instance_pk:
                yield pk, positions[rank], *rest

    def _take(self, rows: Iterable[_Row]) -> set[int]:
        """Let each piece of evidence count; returns the positions that it is about."""
        cases, sizes, rounds, last_id = self._cases, self._sizes, self._rounds, self._last_id
        positions = set()
        for pk, position, kind, of_round, detail in rows:
            case = cases[position]
            cases[position] = case.after.get((kind, of_round)) or case.add(kind, of_round)
            positions.add(position)
            if kind in _ASKED:
                rounds[of_round].asked += 1
            elif kind in _ANSWERS and not (detail and _will_be_sent_again(detail)):
                count = rounds[of_round]
                count.answered += 1
                count.answered_bytes += sizes[position]
            last_id = max(last_id, pk)
        self._last_id = last_id
        return positions

    def _paint(self, positions: Iterable[int]) -> None:
        for position in positions:
            case, was_there = self._cases[position], self._was_there[position]
            self._cells[position] = case.cells.get(was_there) or self._judge(case, was_there)

    def _judge(self, case: _Case, was_there: int) -> int:
        judgement = judge_instance(case.facts, self._policy, _BEFORE[was_there], is_inquiry=self._is_inquiry)
        letter = ord(cell_while_open(judgement, case.facts))
        case.cells[was_there] = letter
        return letter

    def _count(self) -> dict[str, int]:
        verdicts = Counter({InstanceVerdict.REFUTED: self._cells.count(Cell.REFUTED.value.encode())})
        verdicts[InstanceVerdict.PENDING] = len(self._cells) - verdicts[InstanceVerdict.REFUTED]
        steps: Counter[str] = Counter()
        for case, count in Counter(self._cases).items():
            for step in case.steps:
                steps[step] += count
        counts = {verdict.value: verdicts[verdict] for verdict in InstanceVerdict}
        return {"instances": len(self._cells), **counts, **{step: steps[step] for step in _STEPS}}


class _Case:
    """What is known of an instance; all instances of which the same is known share it."""

    __slots__ = ("after", "cells", "facts", "steps")

    def __init__(self, facts: frozenset[Fact]) -> None:
        self.facts = facts
        self.after: dict[tuple[str, int], _Case] = {}
        """What it becomes by one more piece of evidence."""
        self.cells: dict[int, int] = {}
        """Its letter, by the number of what was there before."""
        kinds = {fact.kind for fact in facts}
        self.steps = [step for step, of_step in STEPS.items() if kinds & set(of_step)]
        self.steps += found_by(facts)

    def add(self, kind: str, of_round: int) -> _Case:
        fact = Fact(EvidenceKind(kind), of_round)
        case = self if fact in self.facts else _Case(self.facts | {fact})
        self.after[kind, of_round] = case
        return case


def _will_be_sent_again(detail: str) -> bool:
    return bool(json.loads(detail).get("will_be_sent_again"))


def _rows(statement: str, *parameters: int) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
