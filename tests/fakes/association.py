"""One association as a scripted archive serves it: reads messages, asks the script, answers or does worse."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from tests.fakes import command_sets as wire
from tests.fakes.acts import Abort, Act, Answer, Close, Die, HalfClose, Raw, Reject
from tests.fakes.command_sets import CommandSet, decode_command_set, encode_command_set
from tests.fakes.finding import serve_find
from tests.fakes.holdings import Holding
from tests.fakes.link import (
    A_ABORT,
    A_ASSOCIATE_RQ,
    A_RELEASE_RP,
    A_RELEASE_RQ,
    P_DATA_TF,
    Ended,
    Link,
    abort_pdu,
    data_pdus,
    data_values,
    pdu,
    reject_pdu,
)
from tests.fakes.negotiation import Negotiation, Proposal, negotiate
from tests.fakes.script import AssociationRequest, Occasion, Plan, StoreRequest, planned

if TYPE_CHECKING:
    from tests.fakes.archive import Archive


@dataclass
class AssociationRecord:
    """What was seen of one association."""

    number: int
    calling_ae_title: str = ""
    called_ae_title: str = ""
    proposals: tuple[Proposal, ...] = ()
    stores: int = 0
    finds: int = 0
    largest_fragment: int = 0
    ended: str = ""
    """Empty while it lasts, then: released, aborted, lost, rejected, by the script, broken rules, stopped."""


@dataclass
class Message:
    """A DIMSE message as it arrives."""

    context: Proposal
    command_set: CommandSet
    act: Act | None = None
    """What the script has for it."""
    is_answered: bool = False
    fragments: list[bytes] = field(default_factory=list)

    @property
    def data_set(self) -> bytes:
        return b"".join(self.fragments)


class ServedAssociation:
    """Runs in a thread of its own, from the accepted connection to its end."""

    def __init__(self, archive: Archive, link: Link, number: int) -> None:
        self.archive = archive
        self.link = link
        self.record = AssociationRecord(number)
        self.negotiation: Negotiation | None = None

    def serve(self, tls: ssl.SSLContext | None) -> None:
        try:
            if tls is not None:
                self.link.secure(tls)
            self._open()
            while True:
                self._serve_message()
        except Ended as ended:
            self.record.ended = ended.how
        except Exception as error:  # noqa: BLE001 whatever the decoders make of a broken message
            self._break_rule(f"{type(error).__name__}: {error}")
        finally:
            self.link.close()

    # Opening

    def _open(self) -> None:
        script = self.archive.script
        self._do_if_planned(script.on_connection, Occasion(self.record.number))
        kind, body = self.link.read_pdu()
        if kind != A_ASSOCIATE_RQ:
            raise ValueError(f"a PDU of type {kind} came instead of an A-ASSOCIATE-RQ")
        self.negotiation = negotiate(body, script)
        self.record.calling_ae_title = self.negotiation.calling_ae_title
        self.record.called_ae_title = self.negotiation.called_ae_title
        self.record.proposals = self.negotiation.proposals
        number = self.archive.log.opened(self.record)
        self._do_if_planned(script.on_association, self._request(number))
        self._wait_for_a_turn()
        self.link.send(self.negotiation.accept_pdu)

    def _wait_for_a_turn(self) -> None:
        if not self.archive.turns.take(self, patiently=self.archive.script.beyond is None):
            assert self.archive.script.beyond is not None
            self.do(self.archive.script.beyond)

    def _request(self, number: int) -> AssociationRequest:
        return AssociationRequest(number, self.record.calling_ae_title, self.record.called_ae_title)

    # Messages

    def _serve_message(self) -> None:
        message = self._read_message()
        handlers: dict[int, Callable[[Message], None]] = {
            wire.C_STORE_RQ: self._finish_store,
            wire.C_ECHO_RQ: self._serve_echo,
            wire.C_FIND_RQ: self._serve_find,
            wire.C_CANCEL_RQ: lambda _: None,  # it came after the last response
        }
        command_field = message.command_set.number(wire.COMMAND_FIELD)
        if command_field not in handlers:
            raise ValueError(f"no handler for command field 0x{command_field:04X}")
        handlers[command_field](message)

    def _read_message(self) -> Message:
        command, message = bytearray(), None
        while True:
            for context_id, is_command, is_last, fragment in data_values(self._read_data()):
                self._measure(fragment)
                if is_command:
                    command += fragment
                    if is_last:
                        message = self._begin(context_id, bytes(command))
                elif message is None or message.context.context_id != context_id:
                    raise ValueError("a data set came without its command set, or in another presentation context")
                else:
                    message.fragments.append(fragment)
                if message is not None and is_last and is_command != message.command_set.has_data_set:
                    return message

    def _read_data(self) -> bytes:
        """The body of the next P-DATA-TF; releases and aborts end the association here."""
        kind, body = self.link.read_pdu()
        maximum = self.archive.script.maximum_length
        if kind == P_DATA_TF:
            if maximum and len(body) > maximum:
                self.archive.log.broken_rule(f"a P-DATA-TF of {len(body)} bytes where {maximum} is the maximum")
            return body
        if kind == A_RELEASE_RQ:
            self._release()
        if kind == A_ABORT:
            raise Ended("aborted")
        raise ValueError(f"a PDU of type {kind} came within an association")

    def _release(self) -> NoReturn:
        self.record.ended = "released"
        self._do_if_planned(self.archive.script.on_release, self._request(self.record.number))
        self.link.send(pdu(A_RELEASE_RP, b"\0" * 4))
        raise Ended("released")

    def _measure(self, fragment: bytes) -> None:
        self.record.largest_fragment = max(self.record.largest_fragment, len(fragment))
        if len(fragment) % 2:
            self.archive.log.broken_rule(f"a fragment of odd length {len(fragment)} (PS3.8 9.3.5.1)")

    def _begin(self, context_id: int, encoded: bytes) -> Message:
        context = self.negotiation.accepted(context_id) if self.negotiation else None
        if context is None:
            raise ValueError(f"a message in presentation context {context_id}, which was not accepted")
        message = Message(context, decode_command_set(encoded))
        if message.command_set.number(wire.COMMAND_FIELD) == wire.C_STORE_RQ:
            self._begin_store(message)
        return message

    # C-STORE (PS3.7 9.1.1)

    def _begin_store(self, message: Message) -> None:
        command_set = message.command_set
        sop_class_uid = command_set.text(wire.AFFECTED_SOP_CLASS_UID)
        if sop_class_uid != message.context.abstract_syntax:
            self.archive.log.broken_rule(
                f"a C-STORE of {sop_class_uid} in a context of {message.context.abstract_syntax}"
            )
        self.record.stores += 1
        request = StoreRequest(
            number=self.archive.log.requested(command_set.text(wire.AFFECTED_SOP_INSTANCE_UID)),
            association=self.record.number,
            sop_class_uid=sop_class_uid,
            sop_instance_uid=command_set.text(wire.AFFECTED_SOP_INSTANCE_UID),
            transfer_syntax_uid=message.context.accepted or "",
        )
        message.act = planned(self.archive.script.on_store, request)
        if message.act is not None and message.act.early:
            self._do_early(message, message.act)

    def _do_early(self, message: Message, act: Act) -> None:
        if isinstance(act, Answer):
            self.answer(message, act)
            message.is_answered = True
        else:
            self.do(act)

    def _finish_store(self, message: Message) -> None:
        sop_instance_uid = message.command_set.text(wire.AFFECTED_SOP_INSTANCE_UID)
        holding = Holding(
            sop_instance_uid,
            message.command_set.text(wire.AFFECTED_SOP_CLASS_UID),
            message.context.accepted or "",
            message.data_set,
        )
        act = message.act or Answer()
        self.archive.log.received(sop_instance_uid)
        if act.keeps_the_instance if isinstance(act, Answer) else act.stores:
            self.archive.keep(holding)
        if not message.is_answered:
            self.do_or_answer(message, act)

    # C-ECHO and C-FIND

    def _serve_echo(self, message: Message) -> None:
        number = self.archive.log.echoed()
        self.do_or_answer(message, planned(self.archive.script.on_echo, Occasion(number)) or Answer())

    def _serve_find(self, message: Message) -> None:
        self.record.finds += 1
        serve_find(self, message)

    def expect_cancel(self) -> None:
        """Read what came during a C-FIND; anything but a C-CANCEL is against the rules (PS3.7 9.3.2.3)."""
        command_field = self._read_message().command_set.number(wire.COMMAND_FIELD)
        if command_field != wire.C_CANCEL_RQ:
            raise ValueError(f"a request 0x{command_field:04X} came while a C-FIND was being answered")

    # Acts

    def do_or_answer(self, message: Message, act: Act) -> None:
        if isinstance(act, Answer):
            self.answer(message, act)
        else:
            self.do(act)

    def _do_if_planned(self, plan: Plan, event: AssociationRequest | Occasion) -> None:
        act = planned(plan, event)
        if isinstance(act, Answer):
            self.archive.stopping.wait(act.delay_seconds)
        elif act is not None:
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
        request = message.command_set
        sop_instance_uid = answer.sop_instance_uid or request.text(wire.AFFECTED_SOP_INSTANCE_UID)
        message_id = request.number(wire.MESSAGE_ID) if answer.message_id is None else answer.message_id
        encoded = encode_command_set(
            {
                wire.AFFECTED_SOP_CLASS_UID: answer.sop_class_uid or request.text(wire.AFFECTED_SOP_CLASS_UID),
                wire.COMMAND_FIELD: answer.command_field or request.number(wire.COMMAND_FIELD) | wire.RESPONSE,
                wire.MESSAGE_ID_BEING_RESPONDED_TO: message_id,
                wire.COMMAND_DATA_SET_TYPE: wire.NO_DATA_SET if identifier is None else 0x0001,
                wire.STATUS: answer.status_code,
                wire.ERROR_COMMENT: answer.error_comment,
                wire.AFFECTED_SOP_INSTANCE_UID: sop_instance_uid or None,
            }
        )
        if request.number(wire.COMMAND_FIELD) == wire.C_STORE_RQ:
            self.archive.log.answered(request.text(wire.AFFECTED_SOP_INSTANCE_UID), answer.status_code)
        self._write_message(answer.context_id or message.context.context_id, encoded, identifier, answer)

    def _write_message(self, context_id: int, encoded: bytes, identifier: bytes | None, answer: Answer) -> None:
        room = (self.negotiation.maximum_length if self.negotiation else 0) or 16384
        pdus = [*data_pdus(context_id, encoded, answer.fragment_length or room - 6, is_command=True)]
        if identifier is not None:
            pdus += data_pdus(context_id, identifier, room - 6, is_command=False)
        written = b"".join(pdus)
        step = 1 if answer.dribbles else len(written)
        for offset in range(0, len(written), step):
            self.link.send(written[offset : offset + step])

    def _break_rule(self, what: str) -> None:
        self.archive.log.broken_rule(what)
        self.record.ended = "broken rules"
        with suppress(Ended):
            self.link.send(abort_pdu(2, 6))
