"""Which instances the next job of a source is to send, after whatever became of those before. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Sequence

from audit.entries import ManifestEntry
from transfers.methods.base import ReconnectPolicy

MOST_JOBS = 100
"""In one send: each may bring a little on its way, and that could go on for as long as there are instances."""


class JobPlan:
    """All in one job; after a failure what is missing in a new one.

    A job stops at the first instance that the destination refuses, and does not say at which. The first of those that
    are missing is likely to be it: it goes last, in a job of its own, so that the others need not wait for it, and so
    that whatever that job says is said of it.
    """

    def __init__(self, entries: Sequence[ManifestEntry], policy: ReconnectPolicy) -> None:
        self._waiting = list(entries)
        self._alone: deque[ManifestEntry] = deque()
        self._blamed: Counter[str] = Counter()
        self._policy = policy
        self._jobs = 0
        self._failures = 0
        """In a row that brought nothing on its way."""

    def next_batch(self) -> list[ManifestEntry]:
        """What the next job is to send; nothing where all is done, or where there is no use in going on."""
        if self.has_given_up:
            return []
        return list(self._waiting) if self._waiting else [self._alone[0]] if self._alone else []

    @property
    def has_given_up(self) -> bool:
        return self._failures >= self._policy.attempts or self._jobs >= MOST_JOBS

    @property
    def wait_seconds(self) -> float:
        """How long to wait before the next job."""
        return self._policy.wait_seconds(self._failures) if self._failures else 0.0

    def waiting_uids(self) -> set[str]:
        return {entry.sop_instance_uid for entry in (*self._waiting, *self._alone)}

    def take_all(self) -> list[ManifestEntry]:
        """What is left; afterwards nothing is."""
        left = [*self._waiting, *self._alone]
        self._waiting.clear()
        self._alone.clear()
        return left

    def settle(self, uids: Collection[str]) -> None:
        """These are not to be sent any more: they were sent, or never will be."""
        self._waiting = [each for each in self._waiting if each.sop_instance_uid not in uids]
        self._alone = deque(each for each in self._alone if each.sop_instance_uid not in uids)

    def succeeded(self, batch: Sequence[ManifestEntry]) -> None:
        self._jobs += 1
        self._failures = 0
        self.settle({each.sop_instance_uid for each in batch})

    def not_begun(self) -> None:
        """The source could not be asked, or did not take the job for now."""
        self._failures += 1

    def broke_off(
        self, batch: Sequence[ManifestEntry], missing: Collection[str], *, is_final: bool = False
    ) -> list[ManifestEntry]:
        """The job failed, or nobody knows what became of it; returns which of its instances are not to be sent again.

        `missing`: SOP Instance UIDs of those that are to be sent still; `is_final`: what was said would be said again.
        """
        self._jobs += 1
        arrived = [each for each in batch if each.sop_instance_uid not in missing]
        self._failures = 0 if arrived else self._failures + 1
        suspects = [each for each in batch if each.sop_instance_uid in missing][:1]
        self.settle({each.sop_instance_uid for each in (*arrived, *suspects)})
        return arrived + [each for each in suspects if self._is_set_aside(each, is_final=is_final)]

    def _is_set_aside(self, suspect: ManifestEntry, *, is_final: bool) -> bool:
        self._blamed[suspect.sop_instance_uid] += 1
        if is_final or self._blamed[suspect.sop_instance_uid] >= self._policy.losses_per_instance:
            return True
        self._alone.append(suspect)
        return False
