"""Who may open an association when, and when all is over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from tests.unit.transfers.methods.test_store_queue import entry
from transfers.errors import AssociationLost, AssociationRejected, AssociationRejectedForNow, TransferStopped
from transfers.methods.base import ReconnectPolicy
from transfers.methods.store_fleet import Fleet, Turn
from transfers.methods.store_queue import StoreQueue
from transfers.wire.waiting import Interruption

POLICY = ReconnectPolicy(attempts=3, first_wait_seconds=0.01)


@pytest.fixture
def queue() -> StoreQueue:
    return StoreQueue([entry(1), entry(2)])


@pytest.fixture
def fleet(queue: StoreQueue) -> Fleet:
    return Fleet(POLICY, queue)


@pytest.fixture
def interruptions() -> Iterator[list[Interruption]]:
    with ExitStack() as stack:
        yield [stack.enter_context(closing(Interruption())) for _ in range(5)]


def test_the_others_wait_until_the_first_association_stands(fleet: Fleet, interruptions: list[Interruption]) -> None:
    first, second = interruptions[:2]
    assert fleet.await_turn(first) is Turn.FIRST
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fleet.await_turn, second)
        assert not waiting.done()

        fleet.opened(Turn.FIRST, first)

        assert waiting.result(timeout=5) is Turn.EXTRA


def test_nobody_opens_anything_once_nothing_waits(
    fleet: Fleet, queue: StoreQueue, interruptions: list[Interruption]
) -> None:
    list(queue.take_all())

    assert fleet.await_turn(interruptions[0]) is None


def test_an_extra_association_that_is_refused_is_given_up(fleet: Fleet, interruptions: list[Interruption]) -> None:
    first, second = interruptions[:2]
    fleet.await_turn(first)
    fleet.opened(Turn.FIRST, first)
    assert fleet.await_turn(second) is Turn.EXTRA

    assert not fleet.open_failed(Turn.EXTRA, second, AssociationRejected())
    assert not fleet.is_over


def test_an_extra_association_is_not_waited_for_once_nothing_is_left(
    fleet: Fleet, queue: StoreQueue, interruptions: list[Interruption]
) -> None:
    first, second = interruptions[:2]
    fleet.await_turn(first)
    fleet.opened(Turn.FIRST, first)
    fleet.await_turn(second)

    list(queue.take_all())
    fleet.nothing_waits()

    assert (first.is_set, second.is_set) == (False, True)


def test_an_extra_association_is_waited_for_while_something_of_any_plan_is_left(
    fleet: Fleet, interruptions: list[Interruption]
) -> None:
    open_all(fleet, interruptions[:1])
    fleet.await_turn(interruptions[1])

    fleet.nothing_waits()

    assert not interruptions[1].is_set


def test_the_first_association_is_tried_as_often_as_the_policy_says(
    fleet: Fleet, interruptions: list[Interruption]
) -> None:
    error = AssociationRejectedForNow()
    turns = []
    while turn := fleet.await_turn(interruptions[0]):
        turns.append(turn)
        fleet.open_failed(turn, interruptions[0], error)

    assert turns == [Turn.FIRST] * 3
    assert fleet.reason is error


def test_what_cannot_pass_by_itself_is_not_tried_again(fleet: Fleet, interruptions: list[Interruption]) -> None:
    error = AssociationRejected()
    fleet.open_failed(Turn.FIRST, interruptions[0], error)

    assert fleet.is_over
    assert fleet.reason is error


def lose(fleet: Fleet, interruption: Interruption, *, had_answers: bool) -> None:
    turn = fleet.await_turn(interruption)
    assert turn is not None
    fleet.opened(turn, interruption)
    if had_answers:
        fleet.answered()
    fleet.ended(AssociationLost(), had_answers=had_answers)


def test_associations_lost_without_an_answer_count_until_one_brings_an_answer(
    fleet: Fleet, interruptions: list[Interruption]
) -> None:
    for had_answers in (False, False, True, False, False):
        lose(fleet, interruptions[0], had_answers=had_answers)
    assert not fleet.is_over

    lose(fleet, interruptions[0], had_answers=False)

    assert fleet.is_over


def open_all(fleet: Fleet, interruptions: list[Interruption]) -> None:
    for interruption in interruptions:
        turn = fleet.await_turn(interruption)
        assert turn is not None
        assert fleet.opened(turn, interruption)


def test_associations_lost_at_the_same_moment_are_one_failure(fleet: Fleet, interruptions: list[Interruption]) -> None:
    for rounds in (1, 2, 3):
        open_all(fleet, interruptions)
        for _ in interruptions:
            assert not fleet.is_over
            fleet.ended(AssociationLost(), had_answers=False)

        assert fleet.failures == rounds

    assert fleet.is_over


def test_an_association_lost_beside_another_waits_before_it_is_opened_again(
    queue: StoreQueue, interruptions: list[Interruption]
) -> None:
    fleet = Fleet(ReconnectPolicy(first_wait_seconds=60), queue)
    open_all(fleet, interruptions[:2])
    fleet.ended(AssociationLost(), had_answers=False)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fleet.await_turn, interruptions[1])
        time.sleep(0.2)
        assert not waiting.done()

        list(queue.take_all())
        fleet.nothing_waits()

        assert waiting.result(timeout=5) is None


def test_an_answer_ends_the_doubts_about_another_association(
    queue: StoreQueue, interruptions: list[Interruption]
) -> None:
    fleet = Fleet(ReconnectPolicy(first_wait_seconds=60), queue)
    open_all(fleet, interruptions[:2])
    fleet.ended(AssociationLost(), had_answers=False)

    fleet.answered()

    assert fleet.await_turn(interruptions[1]) is Turn.EXTRA


def test_who_waited_to_open_an_extra_opens_the_first_where_the_others_are_lost_meanwhile(
    fleet: Fleet, interruptions: list[Interruption]
) -> None:
    open_all(fleet, interruptions[:1])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fleet.await_turn, interruptions[1])

        fleet.ended(AssociationLost(), had_answers=False)

        assert waiting.result(timeout=5) is Turn.FIRST


def test_an_extra_that_was_interrupted_while_it_was_opened_is_not_used(
    fleet: Fleet, queue: StoreQueue, interruptions: list[Interruption]
) -> None:
    open_all(fleet, interruptions[:1])
    extra = interruptions[1]
    assert fleet.await_turn(extra) is Turn.EXTRA
    waiting = list(queue.take_all())
    fleet.nothing_waits()
    queue.put_last(waiting[0])

    assert not fleet.opened(Turn.EXTRA, extra)

    fleet.ended(AssociationLost(), had_answers=False)
    assert fleet.await_turn(interruptions[0]) is Turn.FIRST


def test_a_stop_keeps_the_first_reason(fleet: Fleet, interruptions: list[Interruption]) -> None:
    fleet.stop()
    fleet.open_failed(Turn.FIRST, interruptions[0], AssociationRejected())

    assert isinstance(fleet.reason, TransferStopped)
    assert fleet.await_turn(interruptions[0]) is None


def test_a_stop_ends_the_wait_before_another_try(queue: StoreQueue, interruptions: list[Interruption]) -> None:
    fleet = Fleet(ReconnectPolicy(first_wait_seconds=60), queue)
    fleet.open_failed(Turn.FIRST, interruptions[0], AssociationRejectedForNow())
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fleet.await_turn, interruptions[0])

        fleet.stop()

        assert waiting.result(timeout=5) is None
