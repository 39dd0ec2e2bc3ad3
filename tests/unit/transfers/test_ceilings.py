"""The best verdict that can be reached: never more than the calculus gives, and said in plain words."""

from __future__ import annotations

import pytest

from audit.judgements import Ground, Policy, StudyVerdict
from transfers.ceilings import ceiling

WITHOUT_TRUST = Policy()
ON_ITS_WORD = Policy(acknowledgement_means_stored=True)
SAME_CONTENT = Policy(same_uid_means_same_content=True)


@pytest.mark.parametrize(
    ("method", "policy", "verify", "verdict", "proof"),
    [
        pytest.param("c-store", WITHOUT_TRUST, "presence", "committed", "present", id="asked"),
        pytest.param("c-store", ON_ITS_WORD, "presence", "committed", "present", id="asked-though-trusted"),
        pytest.param("c-store", ON_ITS_WORD, "none", "committed", "acknowledged", id="on-its-word"),
        pytest.param("c-store", WITHOUT_TRUST, "none", "unverifiable", None, id="neither-asked-nor-trusted"),
        pytest.param(None, WITHOUT_TRUST, "presence", "committed", "present", id="only-asked"),
        pytest.param(None, ON_ITS_WORD, "none", "unverifiable", None, id="nothing-done"),
    ],
)
def test_the_best_verdict_is_what_the_best_evidence_proves(
    method: str | None, policy: Policy, verify: str, verdict: str, proof: str | None
) -> None:
    best = ceiling(method, policy, verify)

    assert (best.verdict, best.proof) == (StudyVerdict(verdict), proof and Ground(proof))


def test_the_sentence_says_what_is_needed_and_that_what_was_there_before_stays_open() -> None:
    sentence = ceiling("c-store", WITHOUT_TRUST, "presence").sentence

    assert "if it can be asked for lists" in sentence
    assert "else stays unverifiable" in sentence


def test_where_one_uid_means_one_content_nothing_stays_open() -> None:
    assert "unverifiable" not in ceiling("c-store", SAME_CONTENT, "presence").sentence


def test_proof_on_its_word_says_that_what_was_there_before_is_not_noticed() -> None:
    assert "is not noticed" in ceiling("c-store", ON_ITS_WORD, "none").sentence


def test_without_asking_an_acknowledgement_is_said_to_prove_nothing() -> None:
    assert "proves nothing" in ceiling("c-store", WITHOUT_TRUST, "none").sentence


def test_only_asking_is_not_said_to_send() -> None:
    assert "asked afterwards" not in ceiling(None, WITHOUT_TRUST, "presence").sentence
    assert "Nothing is sent" in ceiling(None, WITHOUT_TRUST, "none").sentence


def test_a_title_names_the_proof_where_there_is_one() -> None:
    assert ceiling("c-store", WITHOUT_TRUST, "presence").title == "committed by “present”"
    assert ceiling("c-store", WITHOUT_TRUST, "none").title == "unverifiable"
