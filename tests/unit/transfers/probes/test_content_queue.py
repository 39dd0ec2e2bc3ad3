"""What the threads of the content probe share out, and when they stop asking."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from audit.entries import ManifestEntry
from transfers.errors import AssociationLost, ConnectionFailed, CredentialsRefused
from transfers.probes.content_queue import MOST_LOSSES, PORTION_BYTES, ContentQueue, portions_of

ENTRY = ManifestEntry("", "1.2.3", "1.2", "1.3", "1.2.840.10008.1.2.1", "/file", "", 0, 1000, 0, 1000)


def entries_of(count: int, *, series: str = "1.3", size: int = 1000) -> list[ManifestEntry]:
    return [
        replace(ENTRY, sop_instance_uid=f"{series}.{number}", series_instance_uid=series, data_set_size=size)
        for number in range(count)
    ]


def queue_of(count: int, sessions: int = 2) -> ContentQueue:
    return ContentQueue([[entry] for entry in entries_of(count)], sessions)


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 40), st.integers(1, 8))
def test_each_entry_is_in_one_portion_of_its_series(one: int, other: int, most: int, side_by_side: int) -> None:
    entries = entries_of(one) + entries_of(other, series="1.4")

    portions = list(portions_of(entries, most, side_by_side))

    assert [entry for portion in portions for entry in portion] == entries
    assert all(len({entry.series_instance_uid for entry in portion}) == 1 for portion in portions)
    assert all(0 < len(portion) <= most for portion in portions)


def test_each_thread_gets_a_portion_of_a_small_study() -> None:
    assert len(list(portions_of(entries_of(8), 32, 4))) >= 4


def test_large_instances_are_asked_for_one_by_one() -> None:
    portions = list(portions_of(entries_of(100, size=PORTION_BYTES), 32, 1))

    assert [len(portion) for portion in portions] == [1] * 100


def test_losses_in_a_row_keep_the_rest_back() -> None:
    queue = queue_of(10)
    for _ in range(MOST_LOSSES):
        assert queue.take() is not None
        queue.lost(AssociationLost())

    assert queue.take() is None
    assert queue.peek() is None
    assert isinstance(queue.barrier, AssociationLost)
    assert len(list(queue.take_rest())) == 10 - MOST_LOSSES
    assert list(queue.take_rest()) == []


def test_an_answer_between_losses_goes_on() -> None:
    queue = queue_of(10)
    for _ in range(5):
        queue.lost(AssociationLost())
        queue.answered()

    assert queue.take() is not None


def test_what_does_not_pass_keeps_the_rest_back_at_once() -> None:
    queue = queue_of(10)
    queue.lost(CredentialsRefused())

    assert queue.take() is None


def test_a_session_less_is_no_harm_but_the_last_one_is() -> None:
    queue = queue_of(10, sessions=2)
    queue.session_ended(ConnectionFailed())
    assert queue.take() is not None

    queue.session_ended(ConnectionFailed())

    assert queue.take() is None
    assert isinstance(queue.barrier, ConnectionFailed)


def test_what_is_given_back_comes_first() -> None:
    queue = queue_of(3)
    first = queue.take()
    assert first is not None
    queue.give_back(first)
    queue.give_back([])

    assert queue.take() == first
