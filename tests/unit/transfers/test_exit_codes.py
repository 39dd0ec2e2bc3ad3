"""What a command's end tells the shell."""

from __future__ import annotations

import pytest

from audit.judgements import StudyVerdict
from transfers.exit_codes import ExitCode, exit_code_of
from transfers.states import State


@pytest.mark.parametrize("state", [State.FINISHED, State.CANCELLED])
def test_what_has_ended_is_told_by_its_verdict_whoever_ended_it(state: State) -> None:
    assert exit_code_of(state, StudyVerdict.PARTIAL, 0) is ExitCode.PARTIAL
    assert exit_code_of(state, StudyVerdict.COMMITTED, 0) is ExitCode.COMMITTED
    assert exit_code_of(state, StudyVerdict.COMMITTED, 1) is ExitCode.COMMITTED_WITHOUT_ALL_INPUT


@pytest.mark.parametrize("state", sorted(set(State) - {State.FINISHED, State.CANCELLED, State.INTERRUPTED}))
def test_what_has_not_ended_is_never_told_as_a_success(state: State) -> None:
    assert exit_code_of(state, StudyVerdict.COMMITTED, 0) is ExitCode.OUR_ERROR


def test_an_interrupted_transfer_says_so() -> None:
    assert exit_code_of(State.INTERRUPTED, StudyVerdict.PENDING, 0) is ExitCode.INTERRUPTED
