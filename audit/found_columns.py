"""What the rows of instances should hold of what was found, by the links that tell of it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from audit.evidence_reader import Instances
from audit.judgements import WasThereBefore
from audit.row_lines import InstanceLines, instance_lines
from audit.runs import Run


class FoundColumns:
    """The SHA-256 of what was sent and what was there before: replayed from the links, compared with the rows.

    They change while an audit is open, so no digest of its opening can cover them.
    """

    def __init__(self, continues_pk: int | None, *, is_known: bool) -> None:
        """`is_known`: the links tell of everything since the audit was opened."""
        self._is_known = is_known
        self._begun: Iterator[InstanceLines] = instance_lines(continues_pk) if continues_pk else iter(())
        self._instances = Instances(array("q"))
        self._sha256: list[str] = []
        self._before: list[str] = []
        self._stored = array("q")
        """Of the rows as they are now: a hash of both columns each."""

    def begin(self, line: InstanceLines) -> None:
        """The next instance of the manifest; it begins with what the audit that is continued found of it."""
        begun = next(self._begun, None)
        self._sha256.append(begun.sha256 if begun else "")
        self._before.append(begun.was_there_before if begun else WasThereBefore.UNKNOWN.value)
        self._stored.append(hash((line.sha256, line.was_there_before)))

    def know(self, instances: Instances) -> None:
        """All instances have begun."""
        self._instances = instances

    def note(self, noted: Iterable[tuple[str, Iterable[Run]]]) -> None:
        bounds = self._instances.bounds
        for answer, runs in noted:
            for first, count in runs:  # a link that was forged may name any number of rows
                for pk in range(max(first, bounds.start), min(first + count, bounds.stop)):
                    if (rank := self._instances.rank_of(pk)) >= 0:
                        self._before[rank] = answer

    def send(self, instance_pk: int, sha256: str) -> None:
        self._sha256[self._instances.rank_of(instance_pk)] = sha256

    def first_changed(self) -> int | None:
        """The position of the first instance whose row holds something else."""
        if not self._is_known:
            return None
        for rank, expected in enumerate(zip(self._sha256, self._before, strict=True)):
            if hash(expected) != self._stored[rank]:
                return rank
        return None
