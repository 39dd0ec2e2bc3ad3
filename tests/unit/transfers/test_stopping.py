"""One event that stands for several."""

from __future__ import annotations

import time
from threading import Event, Timer

from transfers.stopping import AnyOf


def test_it_is_set_when_one_of_those_that_it_was_made_from_is() -> None:
    first, second = Event(), Event()
    either = AnyOf(first, second)

    assert not either.is_set()
    second.set()

    assert either.is_set()
    assert not first.is_set()


def test_setting_it_sets_none_of_the_others() -> None:
    other = Event()
    either = AnyOf(other)

    either.set()

    assert either.is_set()
    assert not other.is_set()


def test_whoever_waits_is_woken_by_any_of_them() -> None:
    inner = Event()
    either = AnyOf(AnyOf(inner), Event())
    Timer(0.05, inner.set).start()
    begun = time.monotonic()

    is_set = either.wait(10)

    assert is_set
    assert time.monotonic() - begun < 2


def test_waiting_for_none_of_them_ends_in_time() -> None:
    begun = time.monotonic()

    is_set = AnyOf(Event()).wait(0.15)

    assert not is_set
    assert 0.1 < time.monotonic() - begun < 1
