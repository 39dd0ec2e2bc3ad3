"""Every event has its sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from transfers.states import State
from transfers.timeline import TELLERS, tell

TRANSFERS = Path(__file__).parents[3] / "transfers"
WRITERS = {"record_event": 1, "Occurrence": 0, "_occurred": 0, "occurred": 0, "failed": 0, "_failed": 0, "_continue": 1}
"""Who writes an event, and which argument is its name."""


def names_written() -> Iterator[str]:
    """Every name of an event that stands in the code where one is written; a choice between two counts as both."""
    for path in TRANSFERS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = WRITERS.get(called)
            if place is not None and len(node.args) > place:
                yield from (
                    str(each.value)
                    for each in ast.walk(node.args[place])
                    if isinstance(each, ast.Constant) and re.fullmatch("[a-z_]+", str(each.value))
                )


def names_returned() -> Iterator[str]:
    """Of functions that choose the name of an event."""
    for path in TRANSFERS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and node.value.startswith(("association_", "session_"))
            ):
                yield node.value


ERROR_CODES = {
    "association_error",
    "association_interrupted",
    "association_lost",
    "association_rejected",
    "association_rejected_for_now",
    "association_released",
    "association_aborted",
    "association_timed_out",
}


def test_every_event_that_is_written_has_its_sentence() -> None:
    written = set(names_written()) | (set(names_returned()) - ERROR_CODES)

    assert {"created", "state_changed", "list_finished", "association_opened"} <= written
    assert written - set(TELLERS) == set()


def test_every_state_has_its_sentence() -> None:
    for state in State:
        assert not tell("state_changed", {"before": "", "after": state.value}).text.startswith("State:"), state


@pytest.mark.parametrize("name", TELLERS)
def test_an_event_whose_detail_lacks_everything_is_told_all_the_same(name: str) -> None:
    assert tell(name, {}).text


def test_an_event_that_nobody_thought_of_is_shown_by_its_name() -> None:
    assert tell("moon_rose", {"reason": "It was night"}) == ("Moon rose", "It was night", "")


def test_a_fault_is_told_with_its_reason_and_its_association() -> None:
    told = tell("association_lost", {"association": 2, "reason": "The connection broke.", "code": "association_lost"})

    assert told == ("An association was lost (no. 2)", "The connection broke.", "warning")
