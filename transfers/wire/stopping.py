"""From the event that stops a transfer to the interruption that ends an association's waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from transfers.wire.waiting import Interruption

_LOOK_SECONDS = 0.1


@contextmanager
def interruption_by(stop: Event) -> Iterator[Interruption]:
    """Give an interruption that is set soon after the event is; it is closed soon after the block ends."""
    interruption = Interruption()
    ended = Event()
    Thread(target=_watch, args=(stop, ended, interruption), name="stop of an association", daemon=True).start()
    try:
        yield interruption
    finally:
        ended.set()


def _watch(stop: Event, ended: Event, interruption: Interruption) -> None:
    while not ended.is_set() and not stop.wait(_LOOK_SECONDS):
        pass
    if stop.is_set():
        interruption.set()
    ended.wait()
    interruption.close()
