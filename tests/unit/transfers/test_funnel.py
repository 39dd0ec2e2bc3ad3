"""How many instances came how far."""

from __future__ import annotations

from typing import Any

import pytest

from transfers.funnel import Asked, steps_of

TALLY = {"instances": 412, "sent": 410, "acknowledged": 407, "present": 405}


def steps(tally: dict[str, int], *, is_over: bool = True, **asked: bool) -> dict[str, dict[str, Any]]:
    found = steps_of(tally, Asked(**asked), is_over=is_over, url_of_missing=lambda step: f"?missing={step}")
    return {step["key"]: step for step in found}


def test_each_step_says_how_many_came_so_far_and_leads_to_those_that_did_not() -> None:
    found = steps(TALLY)

    assert [step["count"] for step in found.values()] == [412, 410, 407, 405]
    assert found["sent"]["losses"] == [{"text": "−2 not sent", "url": "?missing=sent"}]
    assert found["present"]["losses"] == [{"text": "−7 not found", "url": "?missing=present"}]


def test_where_nothing_is_lost_nothing_is_said() -> None:
    found = steps(dict.fromkeys(TALLY, 412))

    assert not any(step["losses"] for step in found.values())
    assert found["present"]["tone"] == "committed"


def test_what_is_still_under_way_is_not_lost() -> None:
    found = steps({"instances": 412, "sent": 10}, is_over=False)

    assert not any(step["losses"] for step in found.values())
    assert found["present"]["tone"] == "accent"


@pytest.mark.parametrize(("present", "tone"), [(405, "partial"), (0, "nothing-stored")])
def test_only_what_is_proved_has_the_colour_of_a_verdict(present: int, tone: str) -> None:
    found = steps(TALLY | {"present": present})

    assert found["present"]["tone"] == tone
    assert found["sent"]["tone"] == found["acknowledged"]["tone"] == "accent"


def test_a_destination_that_is_not_asked_has_no_number() -> None:
    found = steps(TALLY | {"present": 0}, asks=False)

    assert found["present"]["unknown"] == "not asked"
    assert found["present"]["losses"] == []


def test_what_a_job_says_is_not_called_an_acknowledgement() -> None:
    found = steps(TALLY, by_job=True)

    assert [step["label"] for step in found.values()] == ["Expected", "Given to a job", "Sent, says the job", "Present"]
    assert found["acknowledged"]["losses"][0]["text"] == "−5 not said to be sent"


def test_a_study_that_is_only_asked_about_is_not_sent() -> None:
    found = steps({"instances": 3, "present": 3}, sends=False)

    assert found["sent"]["unknown"] == found["acknowledged"]["unknown"] == "nothing is sent"
    assert found["sent"]["losses"] == []


def test_only_what_was_asked_for_has_a_step() -> None:
    assert list(steps(TALLY)) == ["expected", "sent", "acknowledged", "present"]
    assert list(steps(TALLY, commits=True, compares=True)) == [
        "expected",
        "sent",
        "acknowledged",
        "committed",
        "present",
        "compared",
    ]


def test_what_is_not_committed_is_lost_there() -> None:
    found = steps(TALLY | {"committed": 400}, commits=True)

    assert (found["committed"]["count"], found["committed"]["tone"]) == (400, "partial")
    assert found["committed"]["losses"] == [{"text": "−12 not committed", "url": "?missing=committed"}]


def test_other_content_is_told_apart_from_what_was_not_compared() -> None:
    found = steps(TALLY | {"compared": 60, "different": 2}, compares=True)

    assert found["compared"]["tone"] == "partial"
    assert found["compared"]["losses"] == [
        {"text": "−2 different", "url": "?missing=different"},
        {"text": "350 not compared", "url": "?missing=compared"},
    ]


def test_a_sample_that_is_the_same_throughout_is_as_good_as_it_gets() -> None:
    assert steps(TALLY | {"compared": 60}, compares=True)["compared"]["tone"] == "committed"
    assert steps(TALLY | {"compared": 60}, compares=True, is_over=False)["compared"]["tone"] == "accent"
    assert steps(TALLY | {"compared": 0}, compares=True)["compared"]["tone"] == "nothing-stored"
