"""How a scripted archive answers, or does worse, on one association."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from tests.fakes import command_sets as wire
from tests.fakes.acts import Abort, Act, Answer, Close, Die, HalfClose, Raw, Reject
from tests.fakes.command_sets import encode_command_set
from tests.fakes.link import Ended, Link, abort_pdu, data_pdus, reject_pdu
from tests.fakes.messages import Message

if TYPE_CHECKING:
    from tests.fakes.archive import Archive

USUAL_MAXIMUM_LENGTH = 16384
PDV_HEADER_LENGTH = 6


class Actor:
    """Does the acts of the script over one connection."""

    def __init__(self, archive: Archive, link: Link) -> None:
        self.archive = archive
        self.link = link
        self.maximum_length = 0
        """Of a P-DATA-TF that the peer takes; 0: no limit."""

    def do_or_answer(self, message: Message, act: Act) -> None:
        if isinstance(act, Answer):
            self.answer(message, act)
        else:
            self.do(act)

    def do(self, act: Act) -> NoReturn:
        """Do what ends the association, sooner or later."""
        if isinstance(act, Abort):
            self.link.send(abort_pdu(act.source, act.reason))
        elif isinstance(act, Reject):
            self.link.send(reject_pdu(act.result, act.source, act.reason))
            raise Ended("rejected")
        elif isinstance(act, Close):
            if act.resets:
                self.link.reset()
        elif isinstance(act, Die):
            self.archive.die(returns_after_seconds=act.returns_after_seconds)
        else:
            self._say_no_more(act)
        raise Ended("by the script")

    def _say_no_more(self, act: Act) -> None:
        if isinstance(act, Raw):
            self.link.send(act.data)
            if act.closes:
                return
        elif isinstance(act, HalfClose):
            self.link.half_close()
        elif act.early:
            self.link.idle()
        self.link.drain()

    def answer(self, message: Message, answer: Answer, identifier: bytes | None = None) -> None:
        """Write the response to a request, with what the script has other than it should be."""
        self.archive.stopping.wait(answer.delay_seconds)
        if message.command_field == wire.C_STORE_RQ:
            self.archive.log.answered(message.sop_instance_uid, answer.status_code)
        message_id = message.command_set.number(wire.MESSAGE_ID) if answer.message_id is None else answer.message_id
        encoded = encode_command_set(
            {
                wire.AFFECTED_SOP_CLASS_UID: answer.sop_class_uid or message.sop_class_uid,
                wire.COMMAND_FIELD: answer.command_field or message.command_field | wire.RESPONSE,
                wire.MESSAGE_ID_BEING_RESPONDED_TO: message_id,
                wire.COMMAND_DATA_SET_TYPE: wire.NO_DATA_SET if identifier is None else 0x0001,
                wire.STATUS: answer.status_code,
                wire.ERROR_COMMENT: answer.error_comment,
                wire.AFFECTED_SOP_INSTANCE_UID: (answer.sop_instance_uid or message.sop_instance_uid) or None,
            }
        )
        self._write(answer.context_id or message.context.context_id, encoded, identifier, answer)

    def _write(self, context_id: int, encoded: bytes, identifier: bytes | None, answer: Answer) -> None:
        room = (self.maximum_length or USUAL_MAXIMUM_LENGTH) - PDV_HEADER_LENGTH
        pdus = list(data_pdus(context_id, encoded, answer.fragment_length or room, is_command=True))
        if identifier is not None:
            pdus += data_pdus(context_id, identifier, room, is_command=False)
        written = b"".join(pdus)
        step = 1 if answer.dribbles else len(written)
        for offset in range(0, len(written), step):
            self.link.send(written[offset : offset + step])
