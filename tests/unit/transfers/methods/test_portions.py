"""What goes in one request, and in which order what was lost goes out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.manifests import entry
from transfers.methods.portions import PortionLimits, PortionQueue
from transfers.methods.task import SendTask

STUDY = "2.25.1"


def queue_of(sizes: Sequence[int], limits: PortionLimits) -> PortionQueue:
    entries = [replace(entry(number, STUDY), data_set_size=size) for number, size in enumerate(sizes, start=1)]
    return PortionQueue(entries, limits)


def sizes(portion: Sequence[SendTask]) -> list[int]:
    return [task.entry.data_set_size for task in portion]


def all_of(queue: PortionQueue) -> list[list[int]]:
    taken = []
    while portion := queue.take():
        taken.append(sizes(portion))
    return taken


@pytest.mark.parametrize(
    ("limits", "portions"),
    [
        (PortionLimits(), [[3], [9], [2], [2], [1]]),
        (PortionLimits(2), [[3, 9], [2, 2], [1]]),
        (PortionLimits(9, 5), [[3], [9], [2, 2, 1]]),
        (PortionLimits(2, 100), [[3, 9], [2, 2], [1]]),
    ],
    ids=["alone", "by number", "by size", "whichever comes first"],
)
def test_portions_keep_to_both_limits_and_one_instance_always_goes(
    limits: PortionLimits, portions: list[list[int]]
) -> None:
    assert all_of(queue_of([3, 9, 2, 2, 1], limits)) == portions


def test_what_was_not_begun_is_next_and_what_was_lost_goes_last_as_it_was() -> None:
    queue = queue_of([1, 2, 3, 4, 5, 6], PortionLimits(2))
    lost, given_back = queue.take(), queue.take()

    queue.put_last(lost)
    queue.give_back(given_back)

    assert all_of(queue) == [[3, 4], [5, 6], [1, 2]]


def test_what_is_limited_later_goes_out_in_smaller_requests() -> None:
    queue = queue_of([1, 2, 3, 4], PortionLimits(4))

    queue.limit_to(0)

    assert all_of(queue) == [[1], [2], [3], [4]]


def test_everything_that_waits_is_taken() -> None:
    queue = queue_of([1, 2, 3], PortionLimits(2))
    queue.put_last(queue.take())

    assert sizes(list(queue.take_all())) == [3, 1, 2]
    assert queue.take() == []
