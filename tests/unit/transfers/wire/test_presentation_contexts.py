"""The plan of presentation contexts: one transfer syntax each, at most 128 an association."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    MRImageStorage,
)

from transfers.wire.negotiation import ProposedContext
from transfers.wire.presentation_contexts import Encoding, plan_associations

ENCODINGS = st.builds(
    Encoding,
    st.integers(1, 60).map(lambda number: f"1.2.3.{number}"),
    st.sampled_from([ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, JPEG2000Lossless]),
)


def proposed(*pairs: tuple[str, str]) -> tuple[ProposedContext, ...]:
    return tuple(ProposedContext(sop_class, (transfer_syntax,)) for sop_class, transfer_syntax in pairs)


def test_each_transfer_syntax_has_a_context_of_its_own_the_most_frequent_first() -> None:
    counts = {
        Encoding(CTImageStorage, JPEG2000Lossless): 3,
        Encoding(MRImageStorage, ImplicitVRLittleEndian): 5,
    }

    (plan,) = plan_associations(counts)

    assert plan.contexts == proposed((MRImageStorage, ImplicitVRLittleEndian), (CTImageStorage, JPEG2000Lossless))


def test_the_default_transfer_syntax_is_proposed_too_where_instances_are_uncompressed() -> None:
    (plan,) = plan_associations({Encoding(CTImageStorage, ExplicitVRLittleEndian): 1})

    assert plan.contexts == proposed((CTImageStorage, ExplicitVRLittleEndian), (CTImageStorage, ImplicitVRLittleEndian))
    assert plan.encodings == {Encoding(CTImageStorage, ExplicitVRLittleEndian)}


def test_a_transfer_syntax_that_nobody_knows_is_proposed_as_it_is() -> None:
    (plan,) = plan_associations({Encoding(CTImageStorage, "1.2.3.4.5"): 1})

    assert plan.contexts == proposed((CTImageStorage, "1.2.3.4.5"))


def test_more_than_128_are_split_over_associations() -> None:
    counts = {Encoding(f"1.2.3.{number}", JPEG2000Lossless): 1 for number in range(1, 131)}

    assert [len(plan.contexts) for plan in plan_associations(counts)] == [128, 2]


@given(st.dictionaries(ENCODINGS, st.integers(1, 1000)))
def test_every_encoding_is_in_exactly_one_plan_and_no_plan_is_too_big(counts: dict[Encoding, int]) -> None:
    plans = plan_associations(counts)

    planned = [encoding for plan in plans for encoding in plan.encodings]
    assert sorted(planned) == sorted(counts)
    for plan in plans:
        contexts = [(context.abstract_syntax, *context.transfer_syntaxes) for context in plan.contexts]
        assert len(contexts) == len(set(contexts)) <= 128
        assert plan.encodings <= {Encoding(*context) for context in contexts}


def test_an_encoding_is_named_as_people_know_it() -> None:
    assert str(Encoding(CTImageStorage, ExplicitVRLittleEndian)) == "CT Image Storage in Explicit VR Little Endian"
    assert str(Encoding("1.2.3", "1.2.4")) == "1.2.3 in 1.2.4"
