"""The runs of a transfer as lanes of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from transfers.lanes import LANE, Sending, StateChange, lanes_of
from transfers.states import State

BEGAN = datetime(2026, 3, 14, 10, 42, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def changes(*moves: tuple[float, State]) -> list[StateChange]:
    return [StateChange(at(seconds), state) for seconds, state in moves]


ONE_RUN = changes(
    (0, State.CLAIMED),
    (0, State.PREPARING),
    (0, State.PREFLIGHT),
    (1, State.SENDING),
    (5, State.VERIFYING),
    (10, State.FINISHED),
)
SENDING = Sending(at(1.0), at(5.0), instances=400, size_bytes=40_000_000)


def texts(lanes: list[dict[str, Any]]) -> list[str]:
    return [lane["text"].replace("\u00a0", " ") for lane in lanes]


def test_a_lane_says_what_took_how_long() -> None:
    lanes = lanes_of(ONE_RUN, [SENDING], at(60))

    assert texts(lanes) == [
        "asked before sending 1.0 s · sent 400 in 4.0 s (100/s, 10.0 MB/s) · asked what arrived 5.0 s"
    ]
    assert [(part["kind"], part["x"], part["width"]) for part in lanes[0]["parts"]] == [
        ("preflight", 0, 100),
        ("sending", 100, 400),
        ("verifying", 500, 500),
    ]


def test_several_runs_are_several_lanes_on_one_scale() -> None:
    again = changes((100, State.QUEUED), (101, State.CLAIMED), (101, State.VERIFYING), (102, State.FINISHED))

    lanes = lanes_of([*ONE_RUN, *again], [SENDING], at(200))

    assert [lane["number"] for lane in lanes] == [1, 2]
    assert lanes[1]["parts"] == [
        {"kind": "verifying", "x": 0, "width": LANE // 10, "label": "asked what arrived 1.0\u00a0s"}
    ]


def test_what_goes_on_ends_now() -> None:
    lanes = lanes_of(ONE_RUN[:4], [Sending(at(1), None, 400, 1)], at(11))

    assert texts(lanes) == ["asked before sending 1.0 s · sent 10 s"]


def test_a_run_that_broke_off_says_so() -> None:
    lanes = lanes_of([*ONE_RUN[:4], *changes((3, State.FAILED))], [], at(60))

    assert texts(lanes) == ["asked before sending 1.0 s · sent 2.0 s · failed"]
    assert lanes[0]["parts"][-1]["kind"] == "broken"
    assert all(part["x"] + part["width"] <= LANE for part in lanes[0]["parts"])


def test_a_run_that_was_taken_over_from_a_dead_process_is_a_lane_too() -> None:
    lanes = lanes_of([*ONE_RUN[:4], *changes((8, State.CLAIMED), (8, State.VERIFYING))], [], at(9))

    assert len(lanes) == 2


def test_a_transfer_of_the_command_line_is_born_claimed() -> None:
    assert texts(lanes_of(ONE_RUN[1:], [SENDING], at(60))) == texts(lanes_of(ONE_RUN, [SENDING], at(60)))


def test_nothing_has_no_lanes() -> None:
    assert lanes_of([], [], at(0)) == []
