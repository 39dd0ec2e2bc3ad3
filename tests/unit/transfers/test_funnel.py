"""How many instances came how far."""

from __future__ import annotations

from typing import Any

import pytest

from transfers.funnel import steps_of

TALLY = {"instances": 412, "sent": 410, "acknowledged": 407, "present": 405}


def steps(tally: dict[str, int], **facts: bool) -> dict[str, dict[str, Any]]:
    asked = {"sends": True, "asks": True, "is_over": True} | facts
    return {step["key"]: step for step in steps_of(tally, url_of_missing=lambda step: f"?missing={step}", **asked)}


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


def test_a_study_that_is_only_asked_about_is_not_sent() -> None:
    found = steps({"instances": 3, "present": 3}, sends=False)

    assert found["sent"]["unknown"] == found["acknowledged"]["unknown"] == "nothing is sent"
    assert found["sent"]["losses"] == []
