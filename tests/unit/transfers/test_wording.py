"""How pages call things."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import audit.content  # noqa: F401  whatever it may raise is known then
from audit.encoded_data_sets import NotComparable
from audit.judgements import Ground, InstanceVerdict, StudyVerdict
from audit.observations import MEANING, EvidenceKind, Family, Polarity
from audit.verdicts import weakest_proof
from transfers.errors import TransferError
from transfers.remedies import (
    remedy_of_code,
    remedy_of_finding,
    remedy_of_ground,
    title_of_finding,
    title_of_ground,
)
from transfers.states import State
from transfers.wording import STATE_WORDS, VERDICT_WORDS, count_text, duration_text, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (1_048_576, "1.0 MB"),
        (999_949, "999.9 KB"),
        (999_951, "1.0 MB"),
        (3_600_000_000, "3.6 GB"),
        (5e15, "5,000.0 TB"),
    ],
)
def test_a_size_is_in_powers_of_a_thousand(size: float, text: str) -> None:
    assert size_text(size).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (41, "41 s"),
        (59.6, "1 min 0 s"),
        (192, "3 min 12 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_a_duration_is_as_exact_as_it_is_short(seconds: float, text: str) -> None:
    assert duration_text(seconds).replace("\u00a0", " ") == text


def test_one_is_not_several() -> None:
    assert [count_text(count, "instance").replace("\u00a0", " ") for count in (0, 1, 2000)] == [
        "0 instances",
        "1 instance",
        "2,000 instances",
    ]
    assert count_text(2, "series") == "2\u00a0series"


def test_every_state_and_verdict_has_its_word() -> None:
    assert set(STATE_WORDS) == set(State)
    assert set(VERDICT_WORDS) == set(StudyVerdict)


def test_everything_that_can_go_wrong_has_a_title_and_a_remedy() -> None:
    proofs = {ground for ground in Ground if _is_proof(ground)}

    for ground in set(Ground) - proofs:
        assert title_of_ground(ground)
        assert remedy_of_ground(ground).endswith(".")


def _is_proof(ground: Ground) -> bool:
    try:
        return weakest_proof([ground]) is ground
    except ValueError:
        return False


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("0xA700", "out of resources"),
        ("0xA7FF", "out of resources"),
        ("0xC123", "cannot understand"),
        ("0x0122", "SOP class"),
    ],
)
def test_a_status_code_has_its_remedy(code: str, words: str) -> None:
    assert words in remedy_of_code(code)


def _errors_below(error: type[Exception]) -> Iterator[type[TransferError]]:
    for child in error.__subclasses__():
        if issubclass(child, TransferError):
            yield child
            yield from _errors_below(child)


OURS = [each for each in (TransferError, *_errors_below(TransferError)) if each.__module__ == "transfers.errors"]


@pytest.mark.parametrize("error", OURS, ids=lambda error: error.code)
def test_every_fault_has_a_remedy(error: type[TransferError]) -> None:
    assert remedy_of_code(error.code).endswith(".")


@pytest.mark.parametrize("error", [NotComparable, *NotComparable.__subclasses__()], ids=lambda error: error.code)
def test_everything_that_keeps_contents_from_being_compared_has_a_remedy(error: type[NotComparable]) -> None:
    assert remedy_of_code(error.code).endswith(".")


@pytest.mark.parametrize("reason", [0x0110, 0x0112, 0x0119, 0x0122, 0x0131, 0x0213])
def test_every_reason_of_storage_commitment_has_a_remedy_of_its_own(reason: int) -> None:
    code = f"0x{reason:04X}"

    assert remedy_of_code(code, is_of_commitment=True).endswith(".")
    assert remedy_of_code(code, is_of_commitment=True) != remedy_of_code(code)


@pytest.mark.parametrize("code", ["0x0118", "0xA700", "0xC001", "0xFFFF", ""])
def test_what_means_something_else_elsewhere_is_no_remedy_for_commitment(code: str) -> None:
    assert remedy_of_code(code, is_of_commitment=True) == ""


def test_every_finding_that_is_not_as_it_should_be_has_a_title_and_a_remedy() -> None:
    asked = {Family.COMMITMENT, Family.PRESENCE, Family.CONTENT}
    troubles = {
        kind
        for kind, (families, polarity) in MEANING.items()
        if asked & set(families) and polarity is not Polarity.POSITIVE
    }

    for kind in troubles - {EvidenceKind.ABSENT}:  # which its ground explains
        assert title_of_finding(kind)
        assert remedy_of_finding(kind).endswith(".")


@pytest.mark.parametrize("code", ["0x0000", "0xFFFF", "", "no_such_code"])
def test_a_code_that_says_nothing_in_particular_has_none(code: str) -> None:
    assert remedy_of_code(code) == ""


def test_the_verdicts_of_instances_are_those_that_the_style_sheets_know() -> None:
    assert {verdict.value for verdict in InstanceVerdict} == {"confirmed", "refuted", "unproven", "pending"}
