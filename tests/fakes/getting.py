"""C-GET of a scripted archive: Study Root, at IMAGE level, with a C-STORE sub-operation an instance (PS3.4 C.4.3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle
from typing import TYPE_CHECKING

from pydicom.multival import MultiValue
from pydicom.uid import UID
from pynetdicom.dsutils import decode

from tests.fakes import command_sets as wire
from tests.fakes.acting import PDV_HEADER_LENGTH, USUAL_MAXIMUM_LENGTH
from tests.fakes.acts import Answer
from tests.fakes.command_sets import encode_command_set
from tests.fakes.holdings import Holding
from tests.fakes.link import P_DATA_TF, data_pdus, pdu
from tests.fakes.script import SubOperation, planned

if TYPE_CHECKING:
    from tests.fakes.association import ServedAssociation
    from tests.fakes.messages import Message
    from tests.fakes.negotiation import Proposal

STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
SUCCESS, WARNING, PENDING = 0x0000, 0xB000, 0xFF00

_message_ids = cycle(range(1, 65_536))


@dataclass
class _Counts:
    completed: int = 0
    failed: int = 0


def serve_get(association: ServedAssociation, message: Message) -> None:
    """Send what is asked for, as far as the script lets it go out."""
    archive, script = association.archive, association.archive.script
    request = archive.log.asked_for(_uids(message))
    act = planned(script.on_get, request)
    if act is not None:
        association.actor.do_or_answer(message, act)
        return
    held = [archive.stored[uid] for uid in request.sop_instance_uids if uid in archive.stored]
    counts = _Counts()
    for number, holding in enumerate(script.gives(request, held) if script.gives else held, start=1):
        _send(association, message, SubOperation(number, holding.sop_instance_uid), holding, counts)
        association.actor.answer(message, Answer(PENDING))
    association.actor.answer(message, Answer(WARNING if counts.failed else SUCCESS))


def _uids(message: Message) -> tuple[str, ...]:
    syntax = UID(message.transfer_syntax_uid)
    identifier = decode(BytesIO(message.data_set), syntax.is_implicit_VR, syntax.is_little_endian)
    assert identifier.QueryRetrieveLevel == "IMAGE", "only asked for at IMAGE level"
    value = identifier.SOPInstanceUID
    return tuple(map(str, value)) if isinstance(value, MultiValue) else (str(value),)


def _send(
    association: ServedAssociation, message: Message, turn: SubOperation, holding: Holding, counts: _Counts
) -> None:
    context = _context_for(association, holding)
    if context is None:
        counts.failed += 1
        return
    act = planned(association.archive.script.on_sub_operation, turn)
    if isinstance(act, Answer):
        association.archive.stopping.wait(act.delay_seconds)
        act = None
    _write_request(association, context, holding)
    room = (association.actor.maximum_length or USUAL_MAXIMUM_LENGTH) - PDV_HEADER_LENGTH
    while association.archive.script.never_ends_data_sets:
        association.link.send(pdu(P_DATA_TF, struct.pack(">LBB", room + 2, context.context_id, 0) + bytes(room)))
    pdus = list(data_pdus(context.context_id, holding.data_set, room, is_command=False))
    if act is not None:
        association.link.send(b"".join(pdus[: len(pdus) // 2]))
        association.actor.do(act)
    association.link.send(b"".join(pdus))
    _take_answer(association, holding, counts)


def _context_for(association: ServedAssociation, holding: Holding) -> Proposal | None:
    """The context of the instance's transfer syntax, of which the peer is the SCP."""
    assert association.negotiation is not None
    for proposal in association.negotiation.proposals:
        wanted = holding.sop_class_uid, holding.transfer_syntax_uid
        if (proposal.abstract_syntax, proposal.accepted) == wanted and proposal.abstract_syntax in _scp_roles(
            association
        ):
            return proposal
    return None


def _scp_roles(association: ServedAssociation) -> frozenset[str]:
    assert association.negotiation is not None
    return association.negotiation.scp_roles


def _write_request(association: ServedAssociation, context: Proposal, holding: Holding) -> None:
    encoded = encode_command_set(
        {
            wire.AFFECTED_SOP_CLASS_UID: holding.sop_class_uid,
            wire.COMMAND_FIELD: wire.C_STORE_RQ,
            wire.MESSAGE_ID: next(_message_ids),
            wire.PRIORITY: 0,
            wire.COMMAND_DATA_SET_TYPE: 0x0001,
            wire.AFFECTED_SOP_INSTANCE_UID: holding.sop_instance_uid,
        }
    )
    association.link.send(b"".join(data_pdus(context.context_id, encoded, len(encoded), is_command=True)))


def _take_answer(association: ServedAssociation, holding: Holding, counts: _Counts) -> None:
    answer = association.read_message()
    if answer.command_field != wire.C_STORE_RQ | wire.RESPONSE:
        raise ValueError(f"0x{answer.command_field:04X} came where a C-STORE-RSP was due")
    status_code = answer.command_set.number(wire.STATUS)
    association.archive.log.sent_back(holding.sop_instance_uid, status_code)
    if status_code == SUCCESS:
        counts.completed += 1
    else:
        counts.failed += 1
