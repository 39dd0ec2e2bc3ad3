"""What a test has the accelerator's counterpart do wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event, Lock

from tests.fakes.accelerator_errors import Refused
from tests.fakes.gateway import NoAnswer


class Step(StrEnum):
    """A request of the push protocol that it receives, or what it does itself while it sends."""

    PLUGINS = "plugins"
    CREATE = "create"
    PUT = "put"
    COMMIT = "commit"
    STORE = "store"
    """One instance of a commit."""
    DISCARD = "discard"
    SEND_BUCKET = "send-bucket"
    """A bucket of a job of its own is about to be pushed, or pulled."""
    SEND_COMMIT = "send-commit"


Hook = Callable[[Step, int], None]
"""Called before a step is done, with how many of its kind there were (from 1): may act, wait, or raise Refused."""


@dataclass
class Script:
    """May be changed at any time."""

    commit_seconds: float = 0.0
    """A commit stores all, and then takes so long until it is answered."""
    lost_answers: dict[Step, int] = field(default_factory=dict)
    """So many steps of a kind are done, and the connection is closed in place of their answer."""
    failing: dict[Step, list[int]] = field(default_factory=dict)
    """HTTP statuses that the next steps of a kind are answered with, and not done."""
    commit_stops_after: int | None = None
    """A commit fails once so many instances are stored."""
    goes_on_past_failures: bool = False
    """As the plug-in does since 1.7: what fails is left out of the commit, and its bytes may be put again."""
    before: Hook | None = None
    seen: Counter[Step] = field(default_factory=Counter)
    """How often each step was begun."""
    _lock: Lock = field(default_factory=Lock)

    def begin(self, step: Step) -> None:
        """Raises Refused where the script says so."""
        with self._lock:
            self.seen[step] += 1
            number = self.seen[step]
            status = self.failing[step].pop(0) if self.failing.get(step) else None
        if self.before is not None:
            self.before(step, number)
        if status is not None:
            raise Refused(status, 1)

    def end(self, step: Step, ended: Event) -> None:
        """Raises NoAnswer where the answer is to be lost."""
        if step is Step.COMMIT and self.commit_seconds:
            ended.wait(self.commit_seconds)
        with self._lock:
            left = self.lost_answers.get(step, 0)
            if left:
                self.lost_answers[step] = left - 1
        if left:
            raise NoAnswer
