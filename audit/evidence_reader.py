"""Reads the evidence of one audit in the order of its ids, span by span, in bounded memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence

from audit.row_lines import EvidenceLine, evidence_lines

WINDOW = 5_000
"""How many ids are read at once."""

Span = tuple[int, int]
"""First and last id."""


class Instances:
    """The ids of the instances of an audit, in the order of the manifest, which is that of their ids."""

    def __init__(self, pks: array[int]) -> None:
        self._pks = pks
        self.bounds = range(pks[0], pks[-1] + 1) if pks else range(0)
        self._is_dense = len(self.bounds) == len(pks)

    def rank_of(self, pk: int) -> int:
        """Its place among them; -1: it is none of them."""
        if pk not in self.bounds:
            return -1
        if self._is_dense:
            return pk - self.bounds.start
        rank = bisect_left(self._pks, pk)
        return rank if self._pks[rank] == pk else -1


class EvidenceReader:
    """The rows with ids in spans that ascend; rows of other audits that lie between are left out."""

    def __init__(self, spans: Sequence[Span], instances: Instances) -> None:
        self._spans = spans
        self._instances = instances
        self._read: deque[EvidenceLine] = deque()
        self._until = 0
        """The last id that was read up to."""

    def rows_of(self, number: int) -> Iterator[EvidenceLine]:
        """Those of one span; the spans are to be asked for in their order."""
        first, last = self._spans[number]
        while first <= last:
            if first > self._until:
                self._read_from(first, number)
            while self._read and self._read[0].pk <= last:
                yield self._read.popleft()
            first = min(last, self._until) + 1

    def _read_from(self, first: int, number: int) -> None:
        """A whole window, or up to the end of the last span that ends in it."""
        limit = first + WINDOW - 1
        until = min(self._spans[number][1], limit)
        for _, last in self._spans[number + 1 :]:
            if last > limit:
                break
            until = last
        instances = self._instances
        rows = evidence_lines(first, until, instances.bounds) if instances.bounds else ()
        self._read = deque(row for row in rows if instances.rank_of(row.instance_pk) >= 0)
        self._until = until
