"""Who may open an association when, and when all is over."""

from __future__ import annotations

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
        yield [stack.enter_context(closing(Interruption())) for _ in range(2)]


def test_the_others_wait_until_the_first_association_stands(fleet: Fleet, interruptions: list[Interruption]) -> None:
    first, second = interruptions
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
    first, second = interruptions
    fleet.await_turn(first)
    fleet.opened(Turn.FIRST, first)
    assert fleet.await_turn(second) is Turn.EXTRA

    assert not fleet.open_failed(Turn.EXTRA, second, AssociationRejected())
    assert not fleet.is_over


def test_an_extra_association_is_not_waited_for_once_nothing_is_left(
    fleet: Fleet, queue: StoreQueue, interruptions: list[Interruption]
) -> None:
    first, second = interruptions
    fleet.await_turn(first)
    fleet.opened(Turn.FIRST, first)
    fleet.await_turn(second)

    list(queue.take_all())
    fleet.nothing_waits()

    assert (first.is_set, second.is_set) == (False, True)


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
