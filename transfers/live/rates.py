"""How fast something goes: over the last seconds, so that the number can be read while it changes. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

WINDOW_SECONDS = 5.0
SHORTEST_SECONDS = 0.5
"""Over less than that no speed is told: the first burst fills buffers, and says nothing of the rest."""


class _Sample(NamedTuple):
    at: float
    instances: int
    size_bytes: int


class Rate:
    """Instances and bytes a second, from how many are done at moments of one clock."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()

    def add(self, at: float, instances: int, size_bytes: int) -> None:
        samples = self._samples
        samples.append(_Sample(at, instances, size_bytes))
        while len(samples) > 2 and samples[1].at <= at - WINDOW_SECONDS:
            samples.popleft()

    def per_second(self) -> tuple[float, float]:
        """How many instances and how many bytes."""
        if not self._samples:
            return 0.0, 0.0
        first, last = self._samples[0], self._samples[-1]
        seconds = last.at - first.at
        if seconds < SHORTEST_SECONDS:
            return 0.0, 0.0
        return (last.instances - first.instances) / seconds, (last.size_bytes - first.size_bytes) / seconds
