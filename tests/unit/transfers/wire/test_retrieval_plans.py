"""What is proposed to be sent back: as it was sent first, uncompressed too, in as few associations as may be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from transfers.wire.negotiation import MOST_CONTEXTS
from transfers.wire.presentation_contexts import Encoding
from transfers.wire.retrieval_plans import plan_retrievals
from transfers.wire.retrieve import GET_CONTEXT

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless)
ENCODINGS = st.frozensets(st.builds(Encoding, st.integers(1, 90).map("1.2.{}".format), st.sampled_from(SYNTAXES)))


def test_a_class_is_proposed_as_it_was_sent_then_uncompressed() -> None:
    (plan,) = plan_retrievals({Encoding("1.2.3", JPEG2000Lossless)})

    assert plan.contexts[0] == GET_CONTEXT
    assert [context.transfer_syntaxes for context in plan.contexts[1:]] == [
        (JPEG2000Lossless,),
        (ExplicitVRLittleEndian,),
        (ImplicitVRLittleEndian,),
    ]
    assert all(context.as_scp for context in plan.contexts[1:])
    assert not plan.contexts[0].as_scp


@given(ENCODINGS)
def test_each_encoding_is_in_one_plan_and_proposed_there(encodings: frozenset[Encoding]) -> None:
    plans = plan_retrievals(encodings)

    assert sorted(encoding for plan in plans for encoding in plan.encodings) == sorted(encodings)
    for plan in plans:
        proposed = {(context.abstract_syntax, context.transfer_syntaxes[0]) for context in plan.contexts}
        assert plan.encodings <= proposed
        assert len(plan.contexts) == len(proposed) <= MOST_CONTEXTS


def test_nothing_needs_no_association() -> None:
    assert plan_retrievals([]) == ()
