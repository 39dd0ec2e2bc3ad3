"""What is proposed is what pynetdicom reads back; what was accepted is taken only as far as it was proposed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_items import ImplementationVersionNameSubItem
from pynetdicom.pdu_primitives import A_ASSOCIATE, MaximumLengthNotification, SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from transfers.endpoints import DicomEndpoint
from transfers.errors import MalformedPDU
from transfers.wire.foreign_text import LONGEST_TEXT
from transfers.wire.negotiation import (
    APPLICATION_CONTEXT_NAME,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    LARGEST_FRAGMENT,
    Acceptance,
    AcceptedContext,
    ProposedContext,
    encode_request,
    read_acceptance,
)
from transfers.wire.pdu import MAXIMUM_LENGTH

CT, EXPLICIT, IMPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
PROPOSED = (ProposedContext(CT, (EXPLICIT,)), ProposedContext(CT, (IMPLICIT,)), ProposedContext("1.2.3", (IMPLICIT,)))


def acceptance_of(results: Sequence[tuple[int, int, str]], maximum_length: int = 16384) -> A_ASSOCIATE_AC:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID(APPLICATION_CONTEXT_NAME)
    for context_id, result, transfer_syntax in results:
        context = PresentationContext()
        context.context_id, context.result = context_id, result
        context.add_transfer_syntax(transfer_syntax)
        primitive.presentation_context_definition_results_list.append(context)
    item = MaximumLengthNotification()
    item.maximum_length_received = maximum_length
    primitive.user_information = [item]
    return A_ASSOCIATE_AC(primitive)


def test_a_request_says_who_asks_whom_for_what() -> None:
    request = A_ASSOCIATE_RQ()
    request.decode(encode_request(DicomEndpoint("host", 104, "ARCHIVE", "TALLYMAN"), PROPOSED))

    assert (request.called_ae_title, request.calling_ae_title) == ("ARCHIVE", "TALLYMAN")
    contexts = [(item.context_id, item.abstract_syntax, *item.transfer_syntax) for item in request.presentation_context]
    assert contexts == [(1, CT, EXPLICIT), (3, CT, IMPLICIT), (5, "1.2.3", IMPLICIT)]


def test_a_request_says_what_we_are() -> None:
    request = A_ASSOCIATE_RQ()
    request.decode(encode_request(DicomEndpoint("host", 104, "ARCHIVE", "TALLYMAN"), PROPOSED))

    information = request.user_information
    assert information is not None
    assert information.maximum_length == MAXIMUM_LENGTH
    assert information.implementation_class_uid == IMPLEMENTATION_CLASS_UID
    assert information.implementation_version_name == IMPLEMENTATION_VERSION_NAME


def test_an_association_has_1_to_128_contexts() -> None:
    endpoint = DicomEndpoint("host", 104, "ARCHIVE", "TALLYMAN")

    assert encode_request(endpoint, PROPOSED[:1] * 128)
    for contexts in (PROPOSED[:1] * 129, ()):
        with pytest.raises(ValueError, match="1 to 128"):
            encode_request(endpoint, contexts)


def test_contexts_are_accepted_rejected_or_not_mentioned() -> None:
    acceptance = read_acceptance(acceptance_of([(3, 0, IMPLICIT), (1, 4, EXPLICIT)]), PROPOSED)

    assert acceptance.accepted == (AcceptedContext(3, CT, IMPLICIT),)
    assert [(context.context_id, context.reason) for context in acceptance.rejected] == [
        (1, "the transfer syntax is not supported there (result 4)"),
        (5, "the destination did not answer this presentation context"),
    ]


def test_a_transfer_syntax_that_was_not_proposed_is_not_accepted() -> None:
    acceptance = read_acceptance(acceptance_of([(1, 0, IMPLICIT)]), PROPOSED[:1])

    assert acceptance.accepted == ()
    assert "not proposed (1.2.840.10008.1.2)" in acceptance.rejected[0].reason


@pytest.mark.parametrize(
    ("maximum_length", "fragment_size"),
    [(0, LARGEST_FRAGMENT), (16384, 16378), (16383, 16376), (8, 2), (9, 2), (0xFFFFFFFF, LARGEST_FRAGMENT)],
)
def test_fragments_are_even_and_fit(maximum_length: int, fragment_size: int) -> None:
    assert Acceptance((), (), maximum_length).fragment_size == fragment_size


def test_a_maximum_length_into_which_nothing_fits_is_said_to_be_so() -> None:
    with pytest.raises(MalformedPDU, match="at most 7 bytes"):
        read_acceptance(acceptance_of([], maximum_length=7), PROPOSED)


def test_a_transfer_syntax_that_is_no_uid_is_named_without_its_control_characters() -> None:
    acceptance = acceptance_of([(1, 0, IMPLICIT)])
    (item,) = acceptance.presentation_context
    item.transfer_syntax_sub_item[0]._transfer_syntax_name = UID("1.2\x1b[31mX\0\x07")

    (rejected,) = read_acceptance(acceptance, PROPOSED[:1]).rejected

    assert rejected.reason == "accepted in a transfer syntax that was not proposed (1.2 [31mX)"


def test_the_name_of_an_implementation_is_cleaned_and_cut() -> None:
    acceptance = acceptance_of([])
    item = ImplementationVersionNameSubItem()
    item._implementation_version_name = "ARCHIVE\x1b]0;\x07" + "X" * 60_000
    assert acceptance.user_information is not None
    acceptance.user_information.user_data.append(item)

    name = read_acceptance(acceptance, PROPOSED[:1]).implementation_version_name

    assert name.startswith("ARCHIVE ]0; XXX")
    assert len(name) == LONGEST_TEXT


def test_a_request_asks_to_be_the_scp_of_a_sop_class_once() -> None:
    contexts = [
        ProposedContext("1.2.3", (IMPLICIT,)),
        ProposedContext(CT, (EXPLICIT,), as_scp=True),
        ProposedContext(CT, (IMPLICIT,), as_scp=True),
    ]
    request = A_ASSOCIATE_RQ()
    request.decode(encode_request(DicomEndpoint("host", 104, "ARCHIVE", "TALLYMAN"), contexts))

    assert request.user_information is not None
    roles = request.user_information.role_selection
    assert {str(uid): (item.scu_role, item.scp_role) for uid, item in roles.items()} == {CT: (0, 1)}


def test_a_request_speaks_of_no_roles_where_none_are_wanted() -> None:
    request = A_ASSOCIATE_RQ()
    request.decode(encode_request(DicomEndpoint("host", 104, "ARCHIVE", "TALLYMAN"), PROPOSED))

    assert request.user_information is not None
    assert not request.user_information.role_selection


@pytest.mark.parametrize("granted", [True, False])
def test_the_roles_that_the_acceptor_grants_are_kept(granted: bool) -> None:
    primitive = acceptance_of([(1, 0, EXPLICIT)]).to_primitive()
    item = SCP_SCU_RoleSelectionNegotiation()
    item.sop_class_uid, item.scu_role, item.scp_role = UID(CT), not granted, granted
    primitive.user_information.append(item)

    acceptance = read_acceptance(A_ASSOCIATE_AC(primitive), PROPOSED[:1])

    assert acceptance.scp_roles == ({CT} if granted else set())
