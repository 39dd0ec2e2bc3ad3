"""Questions over several lines: whoever takes one, each has an answer in the end, and a failure is met by the owner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Barrier, Event, current_thread
from typing import Self

import pytest

from transfers.errors import CredentialsRefused, ServiceFailed, TransferError
from transfers.probes.answers import Answer
from transfers.probes.inquiry import Inquiry
from transfers.wire.identifiers import Query, Row

QUESTIONS = [Query("1.2", f"1.2.{number}") for number in range(12)]
TOGETHER_SECONDS = 5.0


class Archive:
    """What all lines lead to."""

    def __init__(self, *, together: int = 0, opening: TransferError | None = None) -> None:
        self.opened: list[Scripted] = []
        self.asked: list[tuple[str, str]] = []
        """The thread that asked, and the series it asked for."""
        self.fails: dict[str, BaseException] = {}
        """Over side lines, by series."""
        self.together = Barrier(together) if together else None
        """Where so many threads, all there are, have to meet once."""
        self.opening = opening


class Scripted:
    """A line, and any number beside it."""

    medium, opened, lost, service = "session", "session_opened", "session_lost", "a script"

    def __init__(self, archive: Archive, beside: int = 0) -> None:
        self._archive, self._beside = archive, beside
        self.is_open = False

    def open(self) -> None:
        if self._archive.opening is not None:
            raise self._archive.opening
        self.is_open = True
        self._archive.opened.append(self)

    def beside(self) -> Sequence[Self]:
        return [type(self)(self._archive) for _ in range(self._beside)]

    def ask(self, query: Query) -> Iterator[Row]:
        assert self.is_open
        is_first = not self._archive.asked
        self._archive.asked.append((current_thread().name, query.series_instance_uid))
        if self._archive.together is not None and not is_first:
            self._archive.together.wait(TOGETHER_SECONDS)
            self._archive.together = None
        yield Row(query.study_instance_uid, query.series_instance_uid, "1.2.3")
        if not self._beside and query.series_instance_uid in self._archive.fails:
            raise self._archive.fails[query.series_instance_uid]

    def ask_for_copies(self, sop_instance_uids: Sequence[str]) -> Iterator[Row]:  # noqa: ARG002
        return iter(())

    def is_lost_by(self, error: TransferError) -> bool:  # noqa: ARG002
        return False

    def name_of_failure(self, error: TransferError) -> str:  # noqa: ARG002
        return "session_failed"

    def close(self) -> None:
        self.is_open = False

    abort = close


def ask(archive: Archive, questions: Sequence[Query] = QUESTIONS, *, beside: int = 3) -> list[Answer]:
    with Inquiry(Scripted(archive, beside), Event(), retry_seconds=0) as inquiry:
        return list(inquiry.ask(questions))


def series(answers: Sequence[Answer]) -> list[str]:
    return sorted(answer.query.series_instance_uid for answer in answers)


EVERY_SERIES = sorted(query.series_instance_uid for query in QUESTIONS)


def test_lists_are_asked_for_at_the_same_time() -> None:
    archive = Archive(together=2)

    answers = ask(archive, beside=1)

    assert series(answers) == EVERY_SERIES
    assert all(answer.is_finished and len(answer.rows) == 1 for answer in answers)
    assert len(archive.asked) == len(QUESTIONS)
    assert "side-line" in {thread for thread, _ in archive.asked}
    assert not any(line.is_open for line in archive.opened)


def test_what_fails_over_a_side_line_is_asked_by_the_owner() -> None:
    archive = Archive()
    archive.fails = {query.series_instance_uid: ServiceFailed() for query in QUESTIONS}

    answers = ask(archive)

    assert series(answers) == EVERY_SERIES
    assert all(answer.is_finished for answer in answers)
    assert not any(line.is_open for line in archive.opened)


def test_an_error_of_ours_over_a_side_line_is_not_kept_quiet() -> None:
    archive = Archive(together=2)
    archive.fails = {query.series_instance_uid: RuntimeError("ours") for query in QUESTIONS}

    with pytest.raises(RuntimeError, match="ours"):
        ask(archive, beside=1)

    assert not any(line.is_open for line in archive.opened)


def test_a_destination_that_refuses_us_does_so_once() -> None:
    archive = Archive(opening=CredentialsRefused())

    answers = ask(archive)

    assert [type(answer.error) for answer in answers] == [CredentialsRefused] * len(QUESTIONS)
    assert archive.asked == []


@pytest.mark.parametrize(("questions", "lines"), [(1, 1), (3, 1), (4, 2), (7, 3), (12, 4)])
def test_few_questions_are_not_worth_more_lines(questions: int, lines: int) -> None:
    archive = Archive()

    answers = ask(archive, QUESTIONS[:questions])

    assert len(answers) == questions
    assert len(archive.opened) == lines


def test_each_answer_says_when_it_was_asked_for() -> None:
    answers = ask(Archive(together=2), beside=1)

    assert all(0 < answer.asked_at <= answer.ended_at for answer in answers)
