"""What is proposed when an association is opened, and what the acceptor made of it (PS3.8 9.3.2 and 9.3.3, PS3.7 D)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_items import PresentationContextItemAC
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext

from transfers.endpoints import DicomEndpoint
from transfers.errors import MalformedPDU
from transfers.wire.foreign_text import clean_text
from transfers.wire.pdu import MAXIMUM_LENGTH, decode
from transfers.wire.rejections import context_rejection

MOST_CONTEXTS = 128
"""Context IDs are the odd numbers from 1 to 255 (PS3.8 9.3.2.2)."""
IMPLEMENTATION_CLASS_UID = "2.25.274522215108765119890067617301574026138"
IMPLEMENTATION_VERSION_NAME = "TALLYMAN_0_1"
APPLICATION_CONTEXT_NAME = "1.2.840.10008.3.1.1.1"
LARGEST_FRAGMENT = 131_066
"""Used where the acceptor sets no limit, or one beyond."""
_FRAGMENT_OVERHEAD = 6


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A SOP class and the transfer syntaxes that it is offered in."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    as_scp: bool = False
    """Whether we want to be the SCP of it: to receive instances, as a C-GET has them sent (PS3.7 D.3.3.4)."""


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    context_id: int
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class RejectedContext:
    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    reason: str
    """In plain words, with the result of PS3.8 9.3.3.2."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What an acceptor made of a request."""

    accepted: tuple[AcceptedContext, ...]
    rejected: tuple[RejectedContext, ...]
    maximum_length: int
    """Of the P-DATA-TF that it takes; 0 means no limit (PS3.8 D.1)."""
    implementation_version_name: str = ""
    """What it calls itself, where it does (PS3.7 D.3.3.2)."""
    scp_roles: frozenset[str] = frozenset()
    """The SOP classes of which it lets us be the SCP."""

    @property
    def fragment_size(self) -> int:
        """How many bytes of a message fit into one fragment; even, as every fragment but the last must be."""
        if not self.maximum_length:
            return LARGEST_FRAGMENT
        return min(LARGEST_FRAGMENT, self.maximum_length - _FRAGMENT_OVERHEAD) // 2 * 2


def encode_request(endpoint: DicomEndpoint, contexts: Sequence[ProposedContext]) -> bytes:
    """Return the A-ASSOCIATE-RQ that proposes these contexts with the IDs 1, 3, 5 …"""
    if not 0 < len(contexts) <= MOST_CONTEXTS:
        raise ValueError(f"An association has 1 to {MOST_CONTEXTS} presentation contexts, not {len(contexts)}.")
    request = A_ASSOCIATE()
    request.application_context_name = UID(APPLICATION_CONTEXT_NAME)
    request.calling_ae_title = endpoint.calling_ae_title
    request.called_ae_title = endpoint.called_ae_title
    request.presentation_context_definition_list = [
        _proposal(_context_id(index), context) for index, context in enumerate(contexts)
    ]
    request.user_information = [
        _maximum_length(),
        _implementation_class_uid(),
        _implementation_version_name(),
        *_role_selections(contexts),
    ]
    encoded: bytes = A_ASSOCIATE_RQ(request).encode()
    return encoded


def read_acceptance(pdu: A_ASSOCIATE_AC, contexts: Sequence[ProposedContext]) -> Acceptance:
    """Return what was accepted of these contexts; one that is not mentioned, or in a syntax not proposed, is rejected.

    Raises MalformedPDU where no message would fit into the fragments that the acceptor takes.
    """
    results: dict[int | None, PresentationContextItemAC] = {item.context_id: item for item in pdu.presentation_context}
    accepted = []
    rejected = []
    for index, context in enumerate(contexts):
        context_id = _context_id(index)
        transfer_syntax, reason = _judged(results.get(context_id), context)
        if reason:
            rejected.append(RejectedContext(context_id, context.abstract_syntax, context.transfer_syntaxes, reason))
        else:
            accepted.append(AcceptedContext(context_id, context.abstract_syntax, transfer_syntax))
    acceptance = Acceptance(
        tuple(accepted), tuple(rejected), _acceptors_maximum_length(pdu), _acceptors_name(pdu), _scp_roles(pdu)
    )
    if acceptance.fragment_size < 2:
        raise MalformedPDU(
            f"The destination takes PDUs of at most {acceptance.maximum_length} bytes, into which nothing fits "
            "(PS3.8 D.1). Raise its maximum PDU length."
        )
    return acceptance


def _context_id(index: int) -> int:
    return 2 * index + 1


def _proposal(context_id: int, context: ProposedContext) -> PresentationContext:
    proposal = PresentationContext()
    proposal.context_id = context_id
    proposal.abstract_syntax = UID(context.abstract_syntax)
    proposal.transfer_syntax = [UID(syntax) for syntax in context.transfer_syntaxes]
    return proposal


def _maximum_length() -> MaximumLengthNotification:
    item = MaximumLengthNotification()
    item.maximum_length_received = MAXIMUM_LENGTH
    return item


def _implementation_class_uid() -> ImplementationClassUIDNotification:
    item = ImplementationClassUIDNotification()
    item.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    return item


def _implementation_version_name() -> ImplementationVersionNameNotification:
    item = ImplementationVersionNameNotification()
    item.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return item


def _role_selections(contexts: Sequence[ProposedContext]) -> list[SCP_SCU_RoleSelectionNegotiation]:
    """One for each SOP class, as SCP only."""
    items = []
    for abstract_syntax in dict.fromkeys(context.abstract_syntax for context in contexts if context.as_scp):
        item = SCP_SCU_RoleSelectionNegotiation()
        item.sop_class_uid = UID(abstract_syntax)
        item.scu_role = False
        item.scp_role = True
        items.append(item)
    return items


def _judged(item: PresentationContextItemAC | None, context: ProposedContext) -> tuple[str, str]:
    """The accepted transfer syntax, or else the reason why there is none."""
    if item is None or item.result is None:
        return "", "the destination did not answer this presentation context"
    if item.result != 0:
        return "", context_rejection(item.result)
    transfer_syntax = str(item.transfer_syntax or "")
    if transfer_syntax not in context.transfer_syntaxes:
        name = clean_text(transfer_syntax) or "none"
        return "", f"accepted in a transfer syntax that was not proposed ({name})"
    return transfer_syntax, ""


def _acceptors_maximum_length(pdu: A_ASSOCIATE_AC) -> int:
    information = pdu.user_information
    return decode("an A-ASSOCIATE-AC", lambda: int(information.maximum_length or 0)) if information else 0


def _acceptors_name(pdu: A_ASSOCIATE_AC) -> str:
    information = pdu.user_information
    name = decode("an A-ASSOCIATE-AC", lambda: information.implementation_version_name) if information else None
    return clean_text(name or "")


def _scp_roles(pdu: A_ASSOCIATE_AC) -> frozenset[str]:
    information = pdu.user_information
    if not information:
        return frozenset()
    items = decode("an A-ASSOCIATE-AC", lambda: dict(information.role_selection))
    return frozenset(str(uid) for uid, item in items.items() if item.scp_role)
