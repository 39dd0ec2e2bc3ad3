"""Lists that end well and are wrong: capped, invented, misplaced, endless. The C-FIND probe is not taken in."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from tests.datasets import write_study
from tests.entries import entries_of
from tests.fakes.acts import Abort, Act, Answer
from tests.fakes.fixtures import MakeArchive
from tests.fakes.rows import (
    altered,
    blind_to_keys,
    capped,
    endless,
    in_turn,
    invented,
    repeated,
    without,
    yes_to_every_direct_question,
)
from tests.fakes.script import FindRequest, Row, Script
from tests.integration.transfers.probes.asking import (
    ABSENT,
    FAILED,
    PRESENT,
    Rewrite,
    Study,
    context_of,
    holding,
    kinds,
    of_lists,
    verify,
)


def test_a_capped_list_refutes_nothing(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(rows=of_lists(capped(1))))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 6
    reasons = Counter(observation.detail["reason"] for observation in observations.values())
    assert reasons == {"Listed": 2, "Not listed, but found by asking for it": 4}


def test_of_a_large_series_behind_a_capped_list_only_what_was_found_is_told(
    archive: MakeArchive, tmp_path: Path
) -> None:
    entries = entries_of(write_study(tmp_path, instances=260, size_bytes=64))
    peer = holding(archive, entries, Script(rows=of_lists(capped(30))))

    observations, _ = verify(entries, context_of(peer, sent=entries))

    assert Counter(kinds(entries, observations)) == {PRESENT: 230, FAILED: 30}
    unasked = next(each for each in observations.values() if each.kind is FAILED)
    assert unasked.detail["code"] == "list_capped"


def test_a_count_gives_a_cap_away_that_the_sample_cannot_see(archive: MakeArchive, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=260, size_bytes=64))
    blind = of_lists(capped(30))
    peer = holding(
        archive, entries, Script(rows=lambda request, rows: [] if request.is_direct else blind(request, rows))
    )

    observations, _ = verify(entries, context_of(peer))

    assert Counter(kinds(entries, observations)) == {PRESENT: 30, ABSENT: 200, FAILED: 30}
    assert [find.level for find in peer.log.finds].count("SERIES") == 1


def test_of_a_large_series_that_did_not_arrive_everything_is_absent(archive: MakeArchive, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=260, size_bytes=64))
    peer = holding(archive, entries[:1])

    observations, _ = verify(entries, context_of(peer, sent=entries))

    assert Counter(kinds(entries, observations)) == {PRESENT: 1, ABSENT: 259}
    assert sum(find.is_direct for find in peer.log.finds) == 200 + 1  # and the control question


@pytest.mark.parametrize("rows", [repeated(3), invented({"SOPInstanceUID": "1.2.3"})], ids=["repeated", "strangers"])
def test_repeated_rows_and_strangers_change_nothing(archive: MakeArchive, study: Study, rows: Rewrite) -> None:
    peer = holding(archive, study[:5], Script(rows=of_lists(rows)))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 5 + [ABSENT]


def test_a_destination_that_says_yes_to_anything_proves_nothing(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study[:4], Script(rows=yes_to_every_direct_question))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [FAILED] * 6
    assert {observation.detail["code"] for observation in observations.values()} == {"invents"}


@pytest.mark.parametrize("act", [Answer(0xA900), Abort()], ids=["refused", "aborted"])
def test_what_is_only_found_by_asking_for_it_needs_the_control(archive: MakeArchive, study: Study, act: Act) -> None:
    ours = {entry.sop_instance_uid for entry in study}

    def no_control(find: FindRequest) -> Act | None:
        return act if find.is_direct and not ours & set(find.keys["SOPInstanceUID"]) else None

    peer = holding(archive, study[:4], Script(on_find=no_control, rows=yes_to_every_direct_question))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 4 + [FAILED] * 2
    assert observations[study[5].sop_instance_uid].detail["code"] == "not_controlled"


def test_a_hidden_instance_is_absent(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(hides=[study[2].sop_instance_uid]))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT, PRESENT, ABSENT, PRESENT, PRESENT, PRESENT]


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_an_instance_listed_elsewhere_is_neither_present_nor_absent(
    archive: MakeArchive, study: Study, keyword: str
) -> None:
    peer = holding(archive, study, Script(rows=altered(**{keyword: "1.2.3"})))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [FAILED] * 6
    detail = observations[study[0].sop_instance_uid].detail
    assert detail["code"] == "elsewhere"
    assert "1.2.3" in detail["listed_under"].values()


def test_an_instance_listed_with_another_sop_class_is_not_ours(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(rows=altered(SOPClassUID="1.2.840.10008.5.1.4.1.1.4")))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [FAILED] * 6
    assert observations[study[0].sop_instance_uid].detail["code"] == "other_sop_class"


def rows_of(entries: Study, study_instance_uid: str | None = None) -> list[Row]:
    return [
        {
            "StudyInstanceUID": study_instance_uid or entry.study_instance_uid,
            "SeriesInstanceUID": entry.series_instance_uid,
            "SOPInstanceUID": entry.sop_instance_uid,
        }
        for entry in entries
    ]


def test_an_archive_that_ignores_what_it_is_asked_for_is_read_by_what_its_rows_say(
    archive: MakeArchive, study: Study
) -> None:
    everything = [*rows_of(study[:5]), *rows_of(study[5:], "1.2.3")]
    peer = archive(Script(rows=blind_to_keys(everything)))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 5 + [FAILED]


def test_an_archive_that_ignores_the_instance_asked_for_denies_none(archive: MakeArchive, study: Study) -> None:
    peer = archive(Script(rows=blind_to_keys(rows_of(study[:5]))))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 5 + [FAILED]
    assert observations[study[5].sop_instance_uid].detail["code"] == "not_matched"


def test_rows_without_study_and_series_count_where_the_archive_looks_at_what_it_is_asked(
    archive: MakeArchive, study: Study
) -> None:
    peer = holding(archive, study, Script(rows=without("StudyInstanceUID", "SeriesInstanceUID")))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 6


def test_rows_without_study_and_series_prove_nothing_where_the_archive_does_not(
    archive: MakeArchive, study: Study
) -> None:
    bare = in_turn(blind_to_keys(rows_of(study, "1.2.3")), without("StudyInstanceUID", "SeriesInstanceUID"))
    peer = archive(Script(rows=bare))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [FAILED] * 6
    assert {observation.detail["code"] for observation in observations.values()} == {"not_matched"}


def test_an_endless_list_proves_what_it_named(archive: MakeArchive, study: Study) -> None:
    of_one_series = study[::2]
    peer = holding(archive, of_one_series[:2], Script(rows=of_lists(endless)))

    observations, _ = verify(of_one_series, context_of(peer, sent=study, retry_seconds=30))

    assert kinds(of_one_series, observations) == [PRESENT, PRESENT, FAILED]
    assert observations[of_one_series[2].sop_instance_uid].detail["code"] == "listing_endless"


def test_an_instance_that_the_next_list_takes_back_is_open(archive: MakeArchive, study: Study) -> None:
    asked = count()
    taken_back = study[0].sop_instance_uid

    def fickle(request: FindRequest, rows: list[Row]) -> list[Row]:
        if not request.is_direct and next(asked) < 2:
            return rows
        return [row for row in rows if row["SOPInstanceUID"] != taken_back]

    peer = holding(archive, study[:4], Script(rows=fickle))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [FAILED, PRESENT, PRESENT, PRESENT, ABSENT, ABSENT]
    assert observations[taken_back].detail["code"] == "vanished"


@pytest.mark.parametrize("keyword", ["SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID"])
def test_control_characters_in_a_list_reach_no_evidence(archive: MakeArchive, study: Study, keyword: str) -> None:
    peer = holding(archive, study, Script(rows=altered(**{keyword: "1.2\0\x1b[31m3"})))

    observations, occurrences = verify(study, context_of(peer))

    assert kinds(study, observations) == [FAILED] * 6
    shown = json.dumps([*(each.detail for each in observations.values()), *(each.detail for each in occurrences)])
    assert not re.search(r"(?<!\\)\\u00[01]", shown)
