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


ENDED = {State.FINISHED, State.CANCELLED}
BROKEN_OFF = {State.INTERRUPTED, State.AWAITING_COMMITMENT}


@pytest.mark.parametrize("state", sorted(set(State) - ENDED - BROKEN_OFF))
def test_what_has_not_ended_is_never_told_as_a_success(state: State) -> None:
    assert exit_code_of(state, StudyVerdict.COMMITTED, 0) is ExitCode.OUR_ERROR


@pytest.mark.parametrize("state", sorted(BROKEN_OFF))
def test_what_was_broken_off_says_so(state: State) -> None:
    assert exit_code_of(state, StudyVerdict.PENDING, 0) is ExitCode.INTERRUPTED
