"""How far a run of a transfer is: what a terminal or a page shows while it goes on. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transfers.states import State


@dataclass(frozen=True, slots=True)
class Progress:
    state: State
    instances: int
    """How many this phase is about."""
    done: int = 0
    """How many of them have their answer."""
    size_bytes: int = 0
    done_bytes: int = 0


Watcher = Callable[[Progress], None]


def watch_nothing(progress: Progress) -> None:
    """For whoever does not want to know."""
