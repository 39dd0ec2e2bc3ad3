"""What is still to be read back in one try, and when there is no more use in asking: what its threads agree on."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock

from audit.entries import ManifestEntry
from transfers.errors import TransferError

MOST_LOSSES = 3
"""Faults of the destination as a whole, in a row, after which the others wait for the next try."""

PORTION_BYTES = 64 << 20
"""What a portion of several instances holds at most."""

Portion = Sequence[ManifestEntry]
"""Instances of one series, asked for in one go."""


class ContentQueue:
    """Hands out portions to several threads."""

    def __init__(self, portions: Iterable[Portion], sessions: int) -> None:
        self._portions = deque(portions)
        self._lock = Lock()
        self._losses = 0
        self._sessions = sessions
        self.barrier: TransferError | None = None
        """Why nothing more is asked."""

    def take(self) -> Portion | None:
        """The next portion; None where there is none, or no use."""
        with self._lock:
            return self._portions.popleft() if self._portions and self.barrier is None else None

    def peek(self) -> Portion | None:
        """What would be taken next."""
        with self._lock:
            return self._portions[0] if self._portions and self.barrier is None else None

    def give_back(self, portion: Portion) -> None:
        with self._lock:
            if portion:
                self._portions.appendleft(portion)

    def take_rest(self) -> Iterator[ManifestEntry]:
        """All that nobody took."""
        with self._lock:
            rest, self._portions = self._portions, deque()
        for portion in rest:
            yield from portion

    def session_ended(self, error: TransferError | None = None) -> None:
        """One of the sessions has nothing left to do, or cannot go on: no harm as long as there is another."""
        with self._lock:
            self._sessions -= 1
            if error is not None and not self._sessions:
                self.barrier = self.barrier or error

    def answered(self) -> None:
        """The destination answered for an instance, whatever it said."""
        with self._lock:
            self._losses = 0

    def lost(self, error: TransferError) -> None:
        """A fault that others would meet too."""
        with self._lock:
            self._losses += 1
            if self._losses >= MOST_LOSSES or not error.retriable:
                self.barrier = self.barrier or error


def portions_of(entries: Iterable[ManifestEntry], most_at_once: int, side_by_side: int) -> Iterator[Portion]:
    """Share out series in portions that are small enough for each thread to get some, and for progress to show."""
    series: dict[tuple[str, str], list[ManifestEntry]] = defaultdict(list)
    for entry in entries:
        series[entry.study_instance_uid, entry.series_instance_uid].append(entry)
    total = sum(map(len, series.values()))
    most = max(1, min(most_at_once, -(-total // (4 * side_by_side))))
    for of_series in series.values():
        yield from _cut(of_series, most)


def _cut(entries: Sequence[ManifestEntry], most: int) -> Iterator[Portion]:
    portion: list[ManifestEntry] = []
    size = 0
    for entry in entries:
        if portion and (len(portion) == most or size + entry.data_set_size > PORTION_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(entry)
        size += entry.data_set_size
    if portion:
        yield portion
