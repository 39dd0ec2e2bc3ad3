"""What starting a draft would come to: how much is sent, the best verdict, and what stands in the way."""

from __future__ import annotations

from typing import Any

import pytest

from audit.judgements import Policy
from transfers.drafts import Note, Plan, Prospect, prospect, worst_tone

PLAN = Plan("c-store", Policy(), "presence", send_what_can=False)
WHAT_CAN = PLAN._replace(send_what_can=True)
REFUSED = {"reason": "CT is not accepted.", "code": "no_presentation_context", "instances": 3, "sop_class_uids": []}
UNREACHABLE = {"code": "connection_failed", "reason": "No connection."}


def found(plan: Plan = PLAN, **findings: Any) -> Prospect:
    """Of ten instances of 1,000 bytes each."""
    clear = {"present": 0, "unknown": 0, "unsendable": [], "conflicts": 0, "error": None}
    sent = {"sendable": 10, "size_bytes": 10_000}
    return prospect(clear | sent | findings, plan, instances=10, size_bytes=10_000)


def texts(each: Prospect) -> str:
    return " ".join(note.text for note in each.notes)


def test_where_nothing_stands_in_the_way_all_is_sent_and_the_method_proves_what_it_can() -> None:
    clear = found()

    assert (clear.instances, clear.size_bytes) == (10, 10_000)
    assert clear.best.title == "committed by “present”"
    assert clear.notes == ()


def test_what_was_there_before_is_no_matter_where_nothing_was() -> None:
    assert "before" not in found().best.sentence
    assert "before" in found(unknown=1).best.sentence
    assert "before" not in found(PLAN._replace(verify="none")).best.sentence


def test_a_study_with_an_instance_that_cannot_be_sent_is_held_back() -> None:
    held_back = found(unsendable=[REFUSED], sendable=7, size_bytes=7_000)

    assert (held_back.instances, held_back.size_bytes, held_back.can_send_more) == (0, 0, True)
    assert held_back.best.title == "nothing stored"
    assert "3 instances cannot be sent. CT is not accepted." in texts(held_back)
    assert "the whole study is held back" in texts(held_back)


def test_what_can_be_sent_of_it_makes_it_partial_at_best() -> None:
    incomplete = found(WHAT_CAN, unsendable=[REFUSED], sendable=7, size_bytes=7_000)

    assert (incomplete.instances, incomplete.size_bytes, incomplete.can_send_more) == (7, 7_000, False)
    assert incomplete.best.title == "partial"
    assert "held back" not in texts(incomplete)


def test_different_files_for_one_instance_hold_the_study_back_too() -> None:
    held_back = found(conflicts=1, sendable=9, size_bytes=9_000)

    assert held_back.instances == 0
    assert "different files for 1 instance." in texts(held_back)


def test_nothing_more_could_be_sent_where_nothing_is_taken() -> None:
    refused = REFUSED | {"instances": 10}

    assert not found(unsendable=[refused], sendable=0, size_bytes=0).can_send_more


def test_what_is_listed_already_may_stay_unverifiable() -> None:
    listed = found(present=2)

    assert listed.instances == 10
    assert listed.best.title == "committed by “present”, or unverifiable"
    assert "2 instances are listed there already. Before anything is sent, what is there is read back" in texts(listed)


def test_what_is_listed_already_counts_where_one_uid_means_one_content() -> None:
    trusted = found(PLAN._replace(policy=Policy(same_uid_means_same_content=True)), present=1)

    assert trusted.best.title == "committed by “present”"
    assert "1 instance is listed there already, which counts as the same content." in texts(trusted)


def test_a_commitment_and_a_comparison_prove_more() -> None:
    assert found(PLAN._replace(verify="none", asks_commitment=True)).best.title == "committed by “committed”"
    assert found(PLAN._replace(verify="content")).best.title == "committed by “identical”"
    assert found(PLAN._replace(verify="content:15%")).best.title == "committed by “present”"


def test_all_or_nothing_ends_with_nothing_where_the_study_cannot_be_complete() -> None:
    incomplete = found(WHAT_CAN._replace(rolls_back=True), unsendable=[REFUSED], sendable=7, size_bytes=7_000)

    assert incomplete.best.title == "nothing stored"
    assert "removed again" in incomplete.best.sentence


def test_a_destination_that_could_not_be_asked_is_asked_again_for_all_of_it() -> None:
    unasked = found(error=UNREACHABLE, sendable=0, size_bytes=0, unknown=10)

    assert (unasked.instances, unasked.size_bytes, unasked.is_unasked) == (10, 10_000, True)
    assert unasked.best.title == "committed by “present”"
    assert "It could not be asked what it takes: No connection." in texts(unasked)


def test_conflicts_are_not_sent_to_a_destination_that_could_not_be_asked() -> None:
    unasked = found(WHAT_CAN, error=UNREACHABLE, sendable=0, size_bytes=0, conflicts=4)

    assert unasked.instances == 6


def test_that_nothing_was_listed_is_no_news_where_nobody_asks_for_the_list() -> None:
    assert found(PLAN._replace(verify="none"), unknown=10).notes == ()
    assert "whether it holds 10 instances already" in texts(found(unknown=10))


def test_findings_that_are_not_there_stand_in_the_way_of_nothing() -> None:
    assert prospect({}, PLAN, instances=10, size_bytes=10).notes == ()


@pytest.mark.parametrize(
    ("tones", "worst"),
    [
        pytest.param([], "success", id="none"),
        pytest.param(["info"], "info", id="info"),
        pytest.param(["info", "warning"], "warning", id="warning"),
        pytest.param(["warning", "error", "info"], "error", id="error"),
    ],
)
def test_the_worst_of_several_notes_decides(tones: list[str], worst: str) -> None:
    assert worst_tone(Note(tone, "") for tone in tones) == worst
