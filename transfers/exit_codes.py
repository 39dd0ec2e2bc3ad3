"""What `send` and `verify` tell the shell. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from audit.judgements import StudyVerdict
from transfers.states import State


class ExitCode(IntEnum):
    COMMITTED = 0
    OUR_ERROR = 1
    WRONG_USAGE = 2
    """Or input from which no transfer could be made."""
    PARTIAL = 3
    NOTHING_STORED = 4
    UNVERIFIABLE = 5
    COMMITTED_WITHOUT_ALL_INPUT = 6
    INTERRUPTED = 130
    """By Ctrl-C, as shells have it."""


#: Of several transfers the first of these that occurs.
WORST_FIRST = (
    ExitCode.INTERRUPTED,
    ExitCode.OUR_ERROR,
    ExitCode.WRONG_USAGE,
    ExitCode.NOTHING_STORED,
    ExitCode.PARTIAL,
    ExitCode.UNVERIFIABLE,
    ExitCode.COMMITTED_WITHOUT_ALL_INPUT,
    ExitCode.COMMITTED,
)

_OF_VERDICT = {
    StudyVerdict.COMMITTED: ExitCode.COMMITTED,
    StudyVerdict.PARTIAL: ExitCode.PARTIAL,
    StudyVerdict.NOTHING_STORED: ExitCode.NOTHING_STORED,
    StudyVerdict.UNVERIFIABLE: ExitCode.UNVERIFIABLE,
}


def exit_code_of(state: State, verdict: StudyVerdict, files_left_out: int) -> ExitCode:
    if state in {State.INTERRUPTED, State.AWAITING_COMMITMENT}:  # nobody waits for the report any more
        return ExitCode.INTERRUPTED
    if state not in {State.FINISHED, State.CANCELLED} or verdict not in _OF_VERDICT:
        return ExitCode.OUR_ERROR
    if verdict is StudyVerdict.COMMITTED and files_left_out:
        return ExitCode.COMMITTED_WITHOUT_ALL_INPUT
    return _OF_VERDICT[verdict]


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The one to exit with; no transfer at all is wrong usage."""
    return min(codes, key=WORST_FIRST.index, default=ExitCode.WRONG_USAGE)
