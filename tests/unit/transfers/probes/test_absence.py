"""`absent` must be earned: the rules one by one, then over any conversation."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.observations import EvidenceKind
from tests.manifests import entry
from tests.unit.transfers.probes.conversation import SERIES, STUDY, asked, counted, entries, listed, row, rows, uid
from transfers.errors import AssociationLost, ListingFailed, TransferError
from transfers.probes.absence import MOST_DIRECT_QUESTIONS, Rules, sample
from transfers.probes.findings import Findings
from transfers.wire.identifiers import Level, Query

SETTLE_SECONDS = 10.0
PRESENT, ABSENT, FAILED = EvidenceKind.PRESENT, EvidenceKind.ABSENT, EvidenceKind.PROBE_FAILED


def rules_of(findings: Findings, *sent: int) -> Rules:
    """The rules where these instances were sent."""
    may_settle = frozenset(uid(number) for number in sent)
    return Rules(findings, may_settle=may_settle, settle_seconds=SETTLE_SECONDS)


@pytest.fixture
def findings() -> Findings:
    """Of three instances in one series."""
    return Findings(entries(3))


def test_what_was_never_sent_is_absent_by_one_list_and_a_direct_question(findings: Findings) -> None:
    rules = rules_of(findings)
    listed(findings, rows([1, 2]))
    asked(findings, 3)

    assert rules.conclude(uid(3)).kind is ABSENT


def test_without_a_direct_question_nothing_is_absent(findings: Findings) -> None:
    rules = rules_of(findings)
    listed(findings, rows([1, 2]))
    rules.direct_questions()

    assert rules.conclude(uid(3)).kind is FAILED


def test_without_a_list_nothing_is_absent(findings: Findings) -> None:
    rules = rules_of(findings)
    asked(findings, 3)

    assert rules.conclude(uid(3)).code == "not_asked"


@pytest.mark.parametrize(
    ("moments", "kind"),
    [([0.0], FAILED), ([0.0, 9.9], FAILED), ([0.0, 10.0], ABSENT), ([0.0, 5.0, 10.5], ABSENT), ([5.0, 10.0], FAILED)],
    ids=["once", "too-soon", "just-settled", "polled", "first-list-late"],
)
def test_what_was_sent_is_absent_by_lists_that_span_the_settle_time(
    findings: Findings, moments: list[float], kind: EvidenceKind
) -> None:
    rules = rules_of(findings, 1, 2, 3)
    for moment in moments:
        listed(findings, rows([1, 2]), at=moment)
    asked(findings, 3)

    assert rules.conclude(uid(3)).kind is kind


def test_what_may_be_on_its_way_is_never_absent_and_may_be_present(findings: Findings) -> None:
    under_way = frozenset({uid(1), uid(3)})
    rules = Rules(findings, may_settle=under_way, settle_seconds=SETTLE_SECONDS, under_way=under_way)
    for moment in (0.0, 3600.0):
        listed(findings, rows([1]), at=moment)
    asked(findings, 2)
    asked(findings, 3)

    assert rules.conclude(uid(1)).kind is PRESENT
    assert rules.conclude(uid(2)).kind is ABSENT
    assert rules.conclude(uid(3))[::2] == (FAILED, "under_way")


def test_a_list_that_broke_off_is_no_second_list(findings: Findings) -> None:
    rules = rules_of(findings, 3)
    listed(findings, rows([1, 2]), at=0.0)
    listed(findings, rows([1, 2]), at=20.0, error=ListingFailed("It ended with 0xA700."))
    asked(findings, 3)

    conclusion = rules.conclude(uid(3))
    assert (conclusion.kind, conclusion.code) == (FAILED, "listing_failed")
    assert "0xA700" in conclusion.reason


def test_only_series_in_which_something_sent_is_missing_are_listed_again() -> None:
    other = replace(entry(9), series_instance_uid="2.25.1.00")
    findings = Findings([entry(1), entry(2), other])
    rules = rules_of(findings, 1, 2)
    listed(findings, rows([1]), at=3.0)
    findings.series[(STUDY, "2.25.1.00")].finished_lists = 1  # type: ignore[index]

    assert [series.key.series_instance_uid for series in rules.unsettled()] == [SERIES]
    assert rules.settled_at() == 13.0


@pytest.mark.parametrize("numbers", [[1, 2, 3], [1, 2]], ids=["all-there", "missing-was-not-sent"])
def test_nothing_is_listed_again_once_all_that_was_sent_is_there(findings: Findings, numbers: list[int]) -> None:
    rules = rules_of(findings, 1, 2)
    listed(findings, rows(numbers))

    assert rules.unsettled() == []


def test_a_direct_question_that_finds_it_overrules_the_list(findings: Findings) -> None:
    rules = rules_of(findings)
    listed(findings, rows([1, 2]))
    asked(findings, 3, rows([3]))

    conclusion = rules.conclude(uid(3))
    assert (conclusion.kind, conclusion.reason) == (PRESENT, "Not listed, but found by asking for it")


def test_a_direct_question_that_failed_leaves_it_open(findings: Findings) -> None:
    rules = rules_of(findings)
    listed(findings, rows([1, 2]))
    asked(findings, 3, error=AssociationLost())

    assert rules.conclude(uid(3)).code == "association_lost"


def test_who_answers_a_direct_question_with_others_did_not_answer_it(findings: Findings) -> None:
    rules = rules_of(findings)
    listed(findings, rows([1, 2]))
    asked(findings, 3, rows([1, 2]))

    assert rules.count_questions() == [Query(STUDY, "", level=Level.SERIES)]
    assert rules.conclude(uid(3)).code == "not_matched"


@pytest.mark.parametrize(("count", "kind"), [(2, ABSENT), (3, FAILED)], ids=["as-listed", "one-more"])
def test_the_count_can_stand_in_for_a_direct_question_that_was_not_understood(
    findings: Findings, count: int, kind: EvidenceKind
) -> None:
    rules = rules_of(findings)
    listed(findings, rows([1, 2]))
    asked(findings, 3, rows([1, 2]))
    counted(findings, count)

    assert rules.conclude(uid(3)).kind is kind


def test_what_vanished_is_open_unless_it_is_found_by_asking(findings: Findings) -> None:
    rules = rules_of(findings)
    listed(findings, rows([1, 2, 3]))
    listed(findings, rows([1]))
    asked(findings, 2)
    asked(findings, 3, rows([3]))

    assert rules.conclude(uid(2)).code == "vanished"
    assert rules.conclude(uid(3)).kind is PRESENT


def test_what_is_listed_elsewhere_is_neither_present_nor_absent(findings: Findings) -> None:
    rules = rules_of(findings)
    listed(findings, [row(3, study="9.9")])
    asked(findings, 3)

    assert rules.conclude(uid(3)).code == "elsewhere"


def test_what_is_listed_with_another_sop_class_is_not_ours(findings: Findings) -> None:
    listed(findings, [row(1, sop_class="1.2.3")])

    assert rules_of(findings).conclude(uid(1)).code == "other_sop_class"


def test_an_unsafe_uid_is_left_open() -> None:
    findings = Findings([replace(entry(1), sop_instance_uid="1.*")])

    assert rules_of(findings).conclude("1.*").code == "unsafe_uid"


def test_an_empty_list_suffices_where_the_rules_say_so(findings: Findings) -> None:
    rules = Rules(findings, empty_lists_suffice=True)
    listed(findings, [])

    assert rules.direct_questions() == []
    assert rules.conclude(uid(1)).kind is ABSENT


def test_a_list_that_names_anything_may_be_capped(findings: Findings) -> None:
    rules = Rules(findings, empty_lists_suffice=True)
    listed(findings, [row(77)])

    assert rules.direct_questions() == [Query(STUDY, SERIES, uid(number)) for number in (1, 2, 3)]
    assert rules.conclude(uid(1)).kind is FAILED


def test_what_can_still_be_found_is_asked_for_where_its_list_failed(findings: Findings) -> None:
    listed(findings, rows([1]), error=ListingFailed())

    assert [query.sop_instance_uid for query in rules_of(findings).direct_questions()] == [uid(2), uid(3)]
    assert Rules(findings, empty_lists_suffice=True).direct_questions() == []


# More missing than can be asked for


@pytest.fixture
def large() -> Findings:
    """Of 1,000 instances in one series, of which 100 are listed."""
    findings = Findings(entries(1_000))
    listed(findings, rows(range(1, 101)))
    return findings


def ask_all(rules: Rules, findings: Findings, found: int = 0, error: TransferError | None = None) -> list[int]:
    """Answer the direct questions: the first few find what they ask for; returns the numbers that were asked for."""
    numbers = [int(query.sop_instance_uid.rsplit(".")[-1]) for query in rules.direct_questions()]
    for index, number in enumerate(numbers):
        asked(findings, number, rows([number]) if index < found else (), error if index == found else None)
    return numbers


def test_the_sample_is_spread_evenly(large: Findings) -> None:
    numbers = ask_all(rules_of(large), large)

    assert len(numbers) == MOST_DIRECT_QUESTIONS
    assert (numbers[0], numbers[-1]) == (101, 996)
    assert {after - before for before, after in pairwise(numbers)} == {4, 5}


def test_the_rest_is_absent_where_none_of_the_sample_was_found(large: Findings) -> None:
    rules = rules_of(large)
    ask_all(rules, large)

    assert {rules.conclude(uid(number)).kind for number in range(101, 1_001)} == {ABSENT}


def test_the_rest_is_open_where_one_of_the_sample_was_found(large: Findings) -> None:
    rules = rules_of(large)
    numbers = ask_all(rules, large, found=1)

    assert rules.conclude(uid(numbers[0])).kind is PRESENT
    assert rules.conclude(uid(numbers[1])).kind is ABSENT
    assert rules.conclude(uid(numbers[0] + 1)).code == "list_capped"


def test_the_rest_is_open_where_the_sample_was_not_answered_throughout(large: Findings) -> None:
    rules = rules_of(large)
    numbers = ask_all(rules, large, error=ListingFailed())

    assert rules.conclude(uid(numbers[1])).kind is ABSENT
    assert rules.conclude(uid(numbers[1] + 1)).code == "listing_failed"


@pytest.mark.parametrize(("count", "kind"), [(100, ABSENT), (101, FAILED)], ids=["as-listed", "one-more"])
def test_the_rest_is_open_where_the_destination_counts_more_than_it_lists(
    large: Findings, count: int, kind: EvidenceKind
) -> None:
    rules = rules_of(large)
    numbers = ask_all(rules, large)
    assert rules.count_questions() == [Query(STUDY, "", level=Level.SERIES)]
    counted(large, count)

    assert rules.conclude(uid(numbers[0] + 1)).kind is kind


def test_counts_are_not_asked_for_where_every_direct_question_was_answered(findings: Findings) -> None:
    rules = rules_of(findings)
    listed(findings, rows([1]))
    ask_all(rules, findings)

    assert rules.count_questions() == []


@given(st.integers(0, 2_000), st.integers(1, 300))
def test_a_sample_has_no_value_twice_and_keeps_the_order(count: int, size: int) -> None:
    values = [str(number) for number in range(count)]

    chosen = sample(values, size)

    assert len(chosen) == min(count, size)
    assert chosen == sorted(set(chosen), key=int)


# Any conversation

ERRORS = st.sampled_from([None, None, ListingFailed(), AssociationLost()])
NUMBERS = st.lists(st.integers(1, 4), max_size=5)
LISTS = st.tuples(st.just("list"), NUMBERS, ERRORS)
QUESTIONS = st.tuples(st.integers(1, 3), NUMBERS, ERRORS)
SENT = st.frozensets(st.integers(1, 3))


@given(st.lists(st.one_of(LISTS, QUESTIONS), max_size=12), SENT)
def test_whatever_is_answered_the_conclusion_is_earned(
    conversation: list[tuple[str | int, list[int], TransferError | None]], sent: frozenset[int]
) -> None:
    findings = Findings(entries(3))
    rules = rules_of(findings, *sent)
    finished, named, denied = [], set(), set()
    for at, (what, numbers, error) in enumerate(conversation):
        named.update(numbers if what == "list" else [what] if what in numbers else [])
        if isinstance(what, int):
            asked(findings, what, rows(numbers), error)
            denied.update([what] if error is None and what not in numbers else [])
        else:
            listed(findings, rows(numbers), at=4.0 * at, error=error)
            finished += [4.0 * at] if error is None else []

    for number in (1, 2, 3):
        kind = rules.conclude(uid(number)).kind
        if kind is PRESENT:
            assert number in named
        if kind is ABSENT:
            assert number not in named
            assert number in denied
            assert finished
            assert number not in sent or finished[-1] - finished[0] >= SETTLE_SECONDS
