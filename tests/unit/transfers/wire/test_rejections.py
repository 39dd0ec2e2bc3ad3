"""What an acceptor's no means, and whether it may pass by itself (PS3.8 9.3.4)."""

from __future__ import annotations

import pytest

from transfers.errors import AssociationRejectedForNow
from transfers.wire.rejections import abortion, context_rejection, rejection


@pytest.mark.parametrize(
    ("source", "reason", "words"),
    [
        (1, 1, "no reason given"),
        (1, 2, "application context name not supported"),
        (1, 3, "Register our AE title “TALLYMAN”"),
        (1, 7, "does not call itself “ARCHIVE”"),
        (2, 1, "network layer"),
        (2, 2, "protocol version not supported"),
        (3, 1, "temporary congestion"),
        (3, 2, "local limit exceeded"),
        (3, 7, "does not list"),
        (9, 9, "does not list"),
    ],
)
def test_each_reason_has_its_words_and_its_numbers(source: int, reason: int, words: str) -> None:
    error = rejection(1, source, reason, called="ARCHIVE", calling="TALLYMAN")

    assert words in str(error)
    assert f"(result 1, source {source}, reason {reason})" in str(error)


@pytest.mark.parametrize(
    ("result", "source", "reason", "passes"),
    [(1, 1, 7, False), (2, 1, 1, True), (1, 3, 1, True), (1, 3, 2, True), (2, 3, 2, True), (1, 2, 1, False)],
)
def test_only_a_transient_rejection_is_worth_another_try(result: int, source: int, reason: int, passes: bool) -> None:
    error = rejection(result, source, reason, called="A", calling="B")

    assert isinstance(error, AssociationRejectedForNow) is error.retriable is passes


def test_an_abort_names_who_aborted_and_why() -> None:
    assert "it did not expect a PDU (source 2, reason 2)" in str(abortion(2, 2))
    assert "gave no reason (source 0, reason 0)" in str(abortion(0, 0))
    assert "does not list" in str(abortion(2, 99))


def test_a_context_is_rejected_in_words() -> None:
    assert context_rejection(3) == "the SOP class is not supported there (result 3)"
    assert context_rejection(4) == "the transfer syntax is not supported there (result 4)"
    assert "(result 77)" in context_rejection(77)
