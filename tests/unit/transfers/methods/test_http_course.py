"""When the senders of one send may make another request, and when there is nothing more to do."""

from __future__ import annotations

import time

import pytest

from transfers.errors import CredentialsRefused, RequestError, ServiceBusy, ServiceFailed
from transfers.methods.base import ReconnectPolicy
from transfers.methods.http_course import LONGEST_RETRY_AFTER_SECONDS, HttpCourse

POLICY = ReconnectPolicy(attempts=3, first_wait_seconds=0.01)


def fail(course: HttpCourse, error: RequestError, times: int = 1) -> None:
    for _ in range(times):
        course.failed(error, time.monotonic())


def busy(seconds: float | None) -> ServiceBusy:
    error = ServiceBusy()
    error.retry_after_seconds = seconds
    return error


def test_requests_are_numbered() -> None:
    course = HttpCourse(POLICY)

    assert [course.await_turn(), course.await_turn()] == [1, 2]


def test_after_as_many_failures_in_a_row_as_the_policy_has_it_is_over() -> None:
    course, error = HttpCourse(POLICY), ServiceFailed()

    fail(course, error, 2)
    assert course.await_turn() == 1
    fail(course, error)

    assert course.await_turn() is None
    assert course.reason is error


def test_an_answer_forgets_what_failed_before() -> None:
    course = HttpCourse(POLICY)

    fail(course, ServiceFailed(), 2)
    course.answered()
    fail(course, ServiceFailed(), 2)

    assert not course.is_over


def test_requests_that_fail_together_are_one_failure() -> None:
    course, begun_at = HttpCourse(POLICY), time.monotonic()

    for _ in range(8):
        course.failed(ServiceFailed(), begun_at)

    assert course.failures == 1


def test_what_will_not_pass_ends_it_at_once() -> None:
    course = HttpCourse(POLICY)

    fail(course, CredentialsRefused())

    assert course.await_turn() is None


@pytest.mark.parametrize(
    ("seconds", "is_over"),
    [(None, False), (1.0, False), (LONGEST_RETRY_AFTER_SECONDS, False), (LONGEST_RETRY_AFTER_SECONDS + 1, True)],
)
def test_a_busy_service_is_given_only_so_much_time(seconds: float | None, is_over: bool) -> None:
    course = HttpCourse(POLICY)

    fail(course, busy(seconds))

    assert course.is_over is is_over


def test_a_busy_service_is_given_the_time_that_it_asks_for() -> None:
    course = HttpCourse(POLICY)
    fail(course, busy(0.3))

    begun = time.monotonic()
    course.await_turn()

    assert time.monotonic() - begun > 0.25


def test_the_first_reason_stays() -> None:
    course, error = HttpCourse(POLICY), CredentialsRefused()

    fail(course, error)
    course.stop()

    assert course.reason is error
