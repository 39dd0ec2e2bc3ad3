"""docs/websocket.md says of every message what the catalogue says, and its examples are such messages.

What is really sent is held against the catalogue wherever a test listens: see tests/integration/transfers/live.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from audit.cells import WORDS
from tests.contract.events import EVENTS, faults_of
from transfers import consumers, events
from transfers.live import hub

PAGE = (Path(__file__).parents[2] / "docs" / "websocket.md").read_text(encoding="utf-8")
TYPES = {
    **EVENTS,
    "Counts": events.Counts,
    "Funnel": events.Funnel,
    "Progress": events.Progress,
    "ListedTransfer": events.ListedTransfer,
    "Totals": events.Totals,
}


def rows_below(head: str) -> list[list[str]]:
    """The cells of the table with this head, row by row."""
    (table,) = re.findall(rf"^\| {head} \|.*\n\|.*\n((?:^\|.*\n)+)", PAGE, re.MULTILINE)
    return [[cell.strip().strip("`") for cell in line.strip("|\n").split("|")] for line in table.splitlines()]


def described(name: str) -> dict[str, str]:
    """Member and type, as the page has them."""
    quoted = f"`{re.escape(name)}`" if name in EVENTS else name
    return {member: kind.replace("`", "") for member, kind, *_ in rows_below(f"member of {quoted}")}


def named(hint: Any) -> str:
    """A type in the words of the page."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(json.dumps(value) for value in arguments)
    if origin in {Union, UnionType}:
        return " or ".join(named(each) for each in arguments)
    if origin is list:
        return f"list of {named(arguments[0])}"
    if origin is tuple:
        return f"({', '.join(named(each) for each in arguments)})"
    return "null" if hint is NoneType else str(hint.__name__)


@pytest.mark.parametrize("name", TYPES)
def test_every_member_of_every_message_is_described_with_its_type(name: str) -> None:
    assert described(name) == {member: named(hint) for member, hint in get_type_hints(TYPES[name]).items()}


@pytest.mark.parametrize("example", re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL), ids=lambda text: text[10:27])
def test_every_example_is_such_a_message(example: str) -> None:
    assert faults_of(json.loads(example)) == []


def test_every_letter_is_described_with_its_word() -> None:
    assert [(letter, word) for letter, word, *_ in rows_below("letter of a cell")] == [
        (cell.value, word) for cell, word in WORDS.items()
    ]


def test_every_close_code_is_described() -> None:
    ours = {consumers.NOT_LOGGED_IN, consumers.NO_SUCH_TRANSFER, consumers.POLICY_VIOLATION}

    assert {int(code) for code, *_ in rows_below("close code")} == ours | {hub.GOING_AWAY, hub.TRY_AGAIN_LATER}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "nothing", "revision": 1},
        {"type": "ended"},
        {"type": "ended", "revision": "1"},
        {"type": "ended", "revision": True},
        {"type": "ended", "revision": 1, "name": "Mustermann"},
    ],
    ids=["unknown", "member missing", "wrong type", "bool", "one more"],
)
def test_what_is_not_in_the_catalogue_is_noticed(event: dict[str, Any]) -> None:
    assert faults_of(event) != []
