"""What the rows of a destination's answers say about the entries of a manifest, and what they do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit.entries import ManifestEntry
from tests.manifests import entry
from tests.unit.transfers.probes.conversation import SERIES, STUDY, asked, counted, entries, listed, row, rows, uid
from transfers.errors import ListingFailed
from transfers.probes.findings import Findings, SeriesKey
from transfers.wire.identifiers import Row


@pytest.fixture
def findings() -> Findings:
    """Of three instances in one series."""
    return Findings(entries(3))


def present(findings: Findings) -> list[int]:
    return [number for number in (1, 2, 3) if findings.is_present(uid(number))]


def test_what_a_list_names_is_present(findings: Findings) -> None:
    listed(findings, rows([3, 1]))

    assert present(findings) == [1, 3]
    assert findings.missing == [uid(2)]


def test_what_a_list_named_before_it_broke_off_is_present(findings: Findings) -> None:
    listed(findings, rows([1]), error=ListingFailed())

    assert present(findings) == [1]
    assert not findings.series[SeriesKey(STUDY, SERIES)].is_listed


def test_rows_never_asked_for_are_ignored(findings: Findings) -> None:
    listed(findings, [row(7), Row("9.9", "9.9", "9.9.9"), Row("", "", "")])

    assert present(findings) == []
    assert findings.elsewhere == {}
    assert findings.series[SeriesKey(STUDY, SERIES)].named == {uid(7)}


def test_rows_that_come_twice_count_once(findings: Findings) -> None:
    listed(findings, rows([1, 1, 1]))

    assert findings.series[SeriesKey(STUDY, SERIES)].named == {uid(1)}


@pytest.mark.parametrize(
    "place",
    [SeriesKey("9.9", SERIES), SeriesKey(STUDY, "9.9"), SeriesKey("9.8", "9.9")],
    ids=["study", "series", "both"],
)
def test_an_instance_under_another_study_or_series_is_neither_present_nor_missing(
    findings: Findings, place: SeriesKey
) -> None:
    listed(findings, [*rows([1, 3]), row(2, study=place.study_instance_uid, series=place.series_instance_uid)])

    assert present(findings) == [1, 3]
    assert findings.missing == []
    assert findings.elsewhere == {uid(2): place}


def test_an_instance_under_its_own_series_and_another_is_present(findings: Findings) -> None:
    listed(findings, [row(1, series="9.9"), row(1)])

    assert present(findings) == [1]


def test_a_row_for_another_series_of_ours_counts_there() -> None:
    other = replace(entry(9), series_instance_uid="2.25.1.00")
    findings = Findings([entry(1), other])

    listed(findings, [row(1), row(9, series="2.25.1.00")])

    assert findings.missing == []


def test_a_row_that_does_not_say_where_speaks_of_the_series_asked_for(findings: Findings) -> None:
    listed(findings, [row(1, study="", series=""), row(2, series=""), row(3)])

    assert present(findings) == [1, 2, 3]
    assert findings.bare == {uid(1), uid(2)}


def test_a_row_that_says_where_makes_up_for_one_that_does_not(findings: Findings) -> None:
    listed(findings, [row(1), row(1, study="")])
    listed(findings, [row(2, study="")])
    listed(findings, [row(2)])

    assert findings.bare == set()


def test_disowned_rows_prove_nothing(findings: Findings) -> None:
    listed(findings, [row(1, study=""), row(2)])
    asked(findings, 3, [row(3, series="")])

    findings.disown_bare_rows()

    assert present(findings) == [2]
    assert findings.missing == []


def test_an_instance_that_the_next_list_does_not_name_is_not_present_any_more(findings: Findings) -> None:
    listed(findings, rows([1, 2]))
    listed(findings, rows([1]))

    assert present(findings) == [1]
    assert findings.vanished == {uid(2)}


def test_a_list_that_broke_off_takes_nothing_back(findings: Findings) -> None:
    listed(findings, rows([1, 2]))
    listed(findings, rows([1]), error=ListingFailed())

    assert present(findings) == [1, 2]


def test_an_instance_that_comes_back_is_present(findings: Findings) -> None:
    listed(findings, rows([1]))
    listed(findings, rows([]))
    listed(findings, rows([1]))

    assert present(findings) == [1]


def test_a_direct_question_finds_what_was_not_listed(findings: Findings) -> None:
    asked(findings, 1, rows([1]))
    asked(findings, 2, rows([3]))
    asked(findings, 3, error=ListingFailed())

    assert present(findings) == [1]
    assert [findings.direct_answer(uid(number)) for number in (1, 2, 3)] == ["found", "not-found", "failed"]
    assert findings.answered_with_others == {uid(2)}


def test_a_direct_question_that_is_answered_at_last_has_no_error(findings: Findings) -> None:
    asked(findings, 1, error=ListingFailed())
    asked(findings, 1)

    assert findings.direct_errors == {}
    assert findings.direct_answer(uid(1)) == "not-found"


def test_another_sop_class_is_noted(findings: Findings) -> None:
    listed(findings, [row(1, sop_class="1.2.840.10008.5.1.4.1.1.2"), row(2, sop_class="1.2.3"), row(3)])

    assert findings.other_class == {uid(2): "1.2.3"}


def test_the_count_of_a_series_is_kept(findings: Findings) -> None:
    counted(findings, 12)

    assert findings.series[SeriesKey(STUDY, SERIES)].related_instances == 12


UNSAFE = [
    pytest.param(replace(entry(1), sop_instance_uid="1.2.*"), id="asterisk"),
    pytest.param(replace(entry(1), series_instance_uid="1.2.?"), id="question-mark"),
    pytest.param(replace(entry(1), study_instance_uid="1.2\\1.3"), id="backslash"),
    pytest.param(replace(entry(1), sop_instance_uid=""), id="none"),
    pytest.param(replace(entry(1), sop_instance_uid="1" * 65), id="too-long"),
    pytest.param(replace(entry(1), sop_instance_uid="1.2\n"), id="control-character"),
    pytest.param(replace(entry(1), sop_instance_uid="1.2 "), id="space"),
    pytest.param(replace(entry(1), sop_instance_uid="1.²"), id="not-ascii"),
    pytest.param(replace(entry(1), sop_instance_uid="1.\udc80"), id="surrogate"),
]


@pytest.mark.parametrize("unsafe", UNSAFE)
def test_an_unsafe_uid_is_never_put_into_a_question(unsafe: ManifestEntry) -> None:
    findings = Findings([unsafe, entry(2)])

    assert findings.unaskable == {unsafe.sop_instance_uid}
    assert findings.missing == [uid(2)]
    assert [series.query.series_instance_uid for series in findings.series.values()] == [SERIES]
