"""One association as a scripted archive serves it: opened, its messages read and handed on, ended."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from tests.fakes import command_sets as wire
from tests.fakes.acting import Actor
from tests.fakes.acts import Answer
from tests.fakes.command_sets import decode_command_set
from tests.fakes.commitment import SentReport
from tests.fakes.finding import serve_find
from tests.fakes.getting import serve_get
from tests.fakes.link import (
    A_ABORT,
    A_ASSOCIATE_RQ,
    A_RELEASE_RP,
    A_RELEASE_RQ,
    P_DATA_TF,
    Ended,
    Link,
    abort_pdu,
    data_values,
    pdu,
)
from tests.fakes.messages import Message
from tests.fakes.negotiation import Negotiation, Proposal, negotiate
from tests.fakes.reporting import serve_commitment, take_answer
from tests.fakes.script import AssociationRequest, Event, Occasion, Plan, planned
from tests.fakes.storing import begin_store, finish_store

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


class ServedAssociation:
    """Runs in a thread of its own, from the accepted connection to its end."""

    def __init__(self, archive: Archive, link: Link, number: int) -> None:
        self.archive = archive
        self.link = link
        self.actor = Actor(archive, link)
        self.record = AssociationRecord(number)
        self.negotiation: Negotiation | None = None
        self.unanswered: dict[int, SentReport] = {}
        """Reports over this association, by their Message ID."""

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
            self._abort_for(f"{type(error).__name__}: {error}")
        finally:
            self.link.close()

    def expect_cancel(self) -> None:
        """Read what came during a C-FIND; anything but a C-CANCEL is against the rules (PS3.7 9.3.2.3)."""
        command_field = self.read_message().command_field
        if command_field != wire.C_CANCEL_RQ:
            raise ValueError(f"a request 0x{command_field:04X} came while a C-FIND was being answered")

    def _open(self) -> None:
        script = self.archive.script
        self._do_if_planned(script.on_connection, Occasion(self.record.number))
        kind, body = self.link.read_pdu()
        if kind != A_ASSOCIATE_RQ:
            raise ValueError(f"a PDU of type {kind} came instead of an A-ASSOCIATE-RQ")
        self.negotiation = negotiate(body, script)
        self.actor.maximum_length = self.negotiation.maximum_length
        self.record.calling_ae_title = self.negotiation.calling_ae_title
        self.record.called_ae_title = self.negotiation.called_ae_title
        self.record.proposals = self.negotiation.proposals
        number = self.archive.log.opened(self.record)
        self._do_if_planned(script.on_association, self._request(number))
        if not self.archive.turns.take(self, patiently=script.beyond is None) and script.beyond is not None:
            self.actor.do(script.beyond)
        self.link.send(self.negotiation.accept_pdu)

    def _request(self, number: int) -> AssociationRequest:
        return AssociationRequest(number, self.record.calling_ae_title, self.record.called_ae_title)

    def _do_if_planned(self, plan: Plan, event: Event) -> None:
        act = planned(plan, event)
        if isinstance(act, Answer):
            self.archive.stopping.wait(act.delay_seconds)
        elif act is not None:
            self.actor.do(act)

    def _serve_message(self) -> None:
        message = self.read_message()
        handlers: dict[int, Callable[[Message], None]] = {
            wire.C_STORE_RQ: lambda message: finish_store(self, message),
            wire.C_ECHO_RQ: self._serve_echo,
            wire.C_FIND_RQ: lambda message: serve_find(self, message),
            wire.C_GET_RQ: lambda message: serve_get(self, message),
            wire.N_ACTION_RQ: lambda message: serve_commitment(self, message),
            wire.N_EVENT_REPORT_RQ | wire.RESPONSE: lambda message: take_answer(self, message),
            wire.C_CANCEL_RQ: lambda _: None,  # it came after the last response
        }
        if message.command_field not in handlers:
            raise ValueError(f"no handler for command field 0x{message.command_field:04X}")
        handlers[message.command_field](message)

    def _serve_echo(self, message: Message) -> None:
        act = planned(self.archive.script.on_echo, Occasion(self.archive.log.echoed()))
        self.actor.do_or_answer(message, act or Answer())

    def read_message(self) -> Message:
        """The next message, whole; Ended where the association is instead."""
        command, message = bytearray(), None
        while True:
            for context_id, is_command, is_last, fragment in data_values(self._read_data()):
                self._measure(fragment)
                if is_command:
                    command += fragment
                    message = self._begin(context_id, bytes(command)) if is_last else None
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
        if message.command_field == wire.C_STORE_RQ:
            begin_store(self, message)
        return message

    def _abort_for(self, broken_rule: str) -> None:
        self.archive.log.broken_rule(broken_rule)
        self.record.ended = "broken rules"
        with suppress(Ended):
            self.link.send(abort_pdu(2, 6))
