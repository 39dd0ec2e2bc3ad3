"""The A-ASSOCIATE-RQ that a scripted archive reads and the A-ASSOCIATE-AC that it answers (PS3.8 9.3.2 and 9.3.3)."""

from __future__ import annotations

from dataclasses import dataclass

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext

from tests.fakes.script import Script

ACCEPTED, NO_ABSTRACT_SYNTAX, NO_TRANSFER_SYNTAX = 0x00, 0x03, 0x04


@dataclass(frozen=True, slots=True)
class Proposal:
    """A presentation context as it was proposed, and what became of it."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    accepted: str | None
    """The transfer syntax chosen."""
    result: int


@dataclass(frozen=True, slots=True)
class Negotiation:
    """An association request, and the answer that the script has for its presentation contexts."""

    calling_ae_title: str
    called_ae_title: str
    maximum_length: int
    """Of a P-DATA-TF that the peer takes; 0: no limit."""
    proposals: tuple[Proposal, ...]
    accept_pdu: bytes
    scp_roles: frozenset[str] = frozenset()
    """The SOP classes of which the requestor is the SCP."""

    def accepted(self, context_id: int) -> Proposal | None:
        for proposal in self.proposals:
            if proposal.context_id == context_id and proposal.accepted:
                return proposal
        return None


def negotiate(body: bytes, script: Script) -> Negotiation:
    """Raises whatever pynetdicom raises where the bytes are no A-ASSOCIATE-RQ."""
    request_pdu = A_ASSOCIATE_RQ()
    request_pdu.decode(bytes((1, 0)) + len(body).to_bytes(4) + body)
    request = request_pdu.to_primitive()
    proposals = tuple(_proposal(context, script) for context in request.presentation_context_definition_list)
    return Negotiation(
        calling_ae_title=str(request.calling_ae_title).strip(),
        called_ae_title=str(request.called_ae_title).strip(),
        maximum_length=request.maximum_length_received or 0,
        proposals=proposals,
        accept_pdu=_accept_pdu(request, proposals, script),
        scp_roles=frozenset(str(item.sop_class_uid) for item in _roles(request, script) if item.scp_role),
    )


def _proposal(context: PresentationContext, script: Script) -> Proposal:
    abstract_syntax = str(context.abstract_syntax)
    transfer_syntaxes = tuple(map(str, context.transfer_syntax))
    chosen = [uid for uid in transfer_syntaxes if script.transfer_syntaxes is None or uid in script.transfer_syntaxes]
    if not _takes(abstract_syntax, script):
        return Proposal(context.context_id or 0, abstract_syntax, transfer_syntaxes, None, NO_ABSTRACT_SYNTAX)
    if not chosen:
        return Proposal(context.context_id or 0, abstract_syntax, transfer_syntaxes, None, NO_TRANSFER_SYNTAX)
    return Proposal(context.context_id or 0, abstract_syntax, transfer_syntaxes, chosen[0], ACCEPTED)


def _takes(abstract_syntax: str, script: Script) -> bool:
    if abstract_syntax in script.without_sop_classes:
        return False
    return script.sop_classes is None or abstract_syntax in script.sop_classes


def _accept_pdu(request: A_ASSOCIATE, proposals: tuple[Proposal, ...], script: Script) -> bytes:
    answer = A_ASSOCIATE()
    answer.application_context_name = request.application_context_name
    answer.calling_ae_title = request.calling_ae_title
    answer.called_ae_title = request.called_ae_title
    answer.result, answer.result_source = 0x00, 0x01
    answer.presentation_context_definition_results_list = [_result(proposal) for proposal in proposals]
    answer.user_information = [*_user_information(script), *_roles(request, script)]
    return bytes(A_ASSOCIATE_AC(answer).encode())


def _result(proposal: Proposal) -> PresentationContext:
    context = PresentationContext()
    context.context_id = proposal.context_id
    context.result = proposal.result
    context.transfer_syntax = [proposal.accepted or proposal.transfer_syntaxes[0]]
    return context


def _user_information(
    script: Script,
) -> list[MaximumLengthNotification | ImplementationClassUIDNotification | ImplementationVersionNameNotification]:
    maximum_length = MaximumLengthNotification()
    maximum_length.maximum_length_received = script.maximum_length
    class_uid = ImplementationClassUIDNotification()
    class_uid.implementation_class_uid = "2.25.302063221164403155318519106011553205467"
    version_name = ImplementationVersionNameNotification()
    version_name.implementation_version_name = "SCRIPTED"
    return [maximum_length, class_uid, version_name]


def _roles(request: A_ASSOCIATE, script: Script) -> list[SCP_SCU_RoleSelectionNegotiation]:
    """Every role that is proposed is accepted (PS3.7 D.3.3.4), unless the script has it otherwise."""
    if not script.grants_roles:
        return []
    return [item for item in request.user_information if isinstance(item, SCP_SCU_RoleSelectionNegotiation)]
