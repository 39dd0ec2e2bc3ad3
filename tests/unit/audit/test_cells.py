"""The letters of the grid: how far an instance has come while the audit is open, and what was judged once sealed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.cells import BLOCK, WORDS, Cell, cell_of_verdict, cell_while_open, changed_runs
from audit.judgements import Fact, InstanceVerdict, Policy, WasThereBefore
from audit.observations import EvidenceKind
from audit.verdicts import judge_instance

TRUSTED = Policy(acknowledgement_means_stored=True)
NO, YES = WasThereBefore.NO, WasThereBefore.YES


def cell(*words: str, policy: Policy = Policy(), was_there: WasThereBefore = NO) -> Cell:  # noqa: B008  frozen
    """`cell("sent 1", "acknowledged 1")`: kind and round."""
    facts = frozenset(Fact(EvidenceKind(kind), int(of_round)) for kind, of_round in (word.split() for word in words))
    return cell_while_open(judge_instance(facts, policy, was_there), facts)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], Cell.PENDING),
        (["not-sent 1"], Cell.NOT_SENT),
        (["sent 1"], Cell.SENT),
        (["sent 1", "no-answer 1"], Cell.NO_ANSWER),
        (["sent 1", "answer-unclear 1"], Cell.NO_ANSWER),
        (["sent 1", "acknowledged 1"], Cell.ACKNOWLEDGED),
        (["sent 1", "refused 1"], Cell.REFUTED),
        (["sent 1", "acknowledged 1", "present 2"], Cell.PRESENT),
        (["sent 1", "acknowledged 1", "committed 2"], Cell.PRESENT),
        (["sent 1", "acknowledged 1", "identical 2"], Cell.PRESENT),
        (["sent 1", "acknowledged 1", "absent 2"], Cell.REFUTED),
        (["sent 1", "acknowledged 1", "different 2"], Cell.REFUTED),
        (["sent 1", "acknowledged 1", "probe-failed 2"], Cell.ACKNOWLEDGED),
        (["not-sent 1", "sent 2"], Cell.SENT),
    ],
    ids=lambda value: value.name if isinstance(value, Cell) else ", ".join(value) or "nothing",
)
def test_a_cell_shows_how_far_an_instance_has_come(words: list[str], expected: Cell) -> None:
    assert cell(*words) is expected


def test_what_is_sent_again_is_on_its_way_again() -> None:
    assert cell("sent 1", "no-answer 1", "sent 3") is Cell.SENT
    assert cell("sent 1", "acknowledged 1", "absent 2", "sent 3", "acknowledged 3", "present 4") is Cell.PRESENT


def test_what_was_there_before_is_not_shown_as_proved_by_a_list() -> None:
    assert cell("sent 1", "acknowledged 1", "present 2", was_there=YES) is Cell.ACKNOWLEDGED


def test_what_a_list_and_a_commitment_say_differently_is_not_shown_as_proved() -> None:
    assert cell("sent 1", "acknowledged 1", "present 2", "commitment-refused 3") is Cell.ACKNOWLEDGED


def test_what_was_refused_and_yet_is_listed_is_not_clear() -> None:
    assert cell("sent 1", "refused 1", "present 2", was_there=WasThereBefore.UNKNOWN) is Cell.NO_ANSWER


def test_an_acknowledgement_that_is_trusted_is_shown_as_what_it_is() -> None:
    assert cell("sent 1", "acknowledged 1", policy=TRUSTED) is Cell.ACKNOWLEDGED


KINDS = st.frozensets(st.builds(Fact, st.sampled_from(EvidenceKind), st.integers(1, 4)))


@given(KINDS, st.sampled_from(WasThereBefore))
def test_nothing_is_shown_as_judged_before_it_is(facts: frozenset[Fact], was_there: WasThereBefore) -> None:
    shown = cell_while_open(judge_instance(facts, TRUSTED, was_there), facts)

    assert shown not in {Cell.CONFIRMED, Cell.UNPROVEN}


def test_each_verdict_has_a_letter_of_its_own() -> None:
    assert "".join(cell_of_verdict(verdict) for verdict in InstanceVerdict) == "cru."


def test_every_cell_has_a_word() -> None:
    assert set(WORDS) == set(Cell)
    assert len(set(WORDS.values())) == len(Cell)


CELLS = st.text("".join(Cell), max_size=5 * BLOCK)


@given(CELLS, st.data())
def test_the_runs_that_changed_make_the_new_cells_of_the_old_ones(before: str, data: st.DataObject) -> None:
    after = data.draw(st.text("".join(Cell), min_size=len(before), max_size=len(before)))

    patched = before
    for first, run in changed_runs(before, after):
        patched = patched[:first] + run + patched[first + len(run) :]

    assert patched == after


def test_only_what_changed_is_told() -> None:
    before = "." * 1_000
    after = before[:500] + "sss" + before[503:]

    assert changed_runs(before, before) == []
    assert sum(len(run) for _, run in changed_runs(before, after)) <= 2 * BLOCK
