"""How a scripted archive asks back and reports: over the association that it was asked on, or over one of its own."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.presentation import build_context, build_role

from tests.fakes import command_sets as wire
from tests.fakes import link as pdus
from tests.fakes.acts import Answer
from tests.fakes.command_sets import CommandSet, decode_command_set, encode_command_set
from tests.fakes.commitment import (
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
    CommitmentRequest,
    Delivery,
    Over,
    Report,
    SentReport,
    honest_report,
    read_request,
)
from tests.fakes.link import Ended, Link, data_pdus, data_values
from tests.fakes.script import planned

if TYPE_CHECKING:
    from tests.fakes.archive import Archive
    from tests.fakes.association import ServedAssociation
    from tests.fakes.messages import Message

HOST = "127.0.0.1"
FRAGMENT_LENGTH = 16_378
PATIENCE_SECONDS = 10
BETWEEN_TRIES_SECONDS = 0.2
SUCCESS = 0x0000


def serve_commitment(association: ServedAssociation, message: Message) -> None:
    """Answer an N-ACTION-RQ as the script has it, and report as the script has it."""
    archive, script = association.archive, association.archive.script
    _check_rules(association, message)
    number = len(archive.log.commitments) + 1
    request = read_request(number, association.record.number, message.data_set, message.transfer_syntax_uid)
    archive.log.commitments.append(request)
    act = planned(script.on_commitment, request) or Answer()
    takes_it = act.keeps_the_instance if isinstance(act, Answer) else act.stores
    reports = _reports(archive, request) if takes_it else []
    ways = _by_way(archive, reports)
    asked_by = association.record.calling_ae_title
    for report in ways[Over.NEW_ASSOCIATION_BEFORE_THE_ANSWER]:
        deliver(archive, report, _port(archive), asked_by)
    for report in ways[Over.BEFORE_THE_ANSWER]:
        _report_here(association, message, report)
        take_answer(association, association.read_message())
    try:
        association.actor.do_or_answer(message, act)
    finally:
        for report in ways[Over.NEW_ASSOCIATION]:
            archive.report(report, asked_by=asked_by)
    for report in ways[Over.SAME_ASSOCIATION]:
        _report_here(association, message, report)


def _check_rules(association: ServedAssociation, message: Message) -> None:
    asked = message.sop_class_uid, message.sop_instance_uid, message.command_set.number(wire.ACTION_TYPE_ID)
    if asked != (STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE, 1):
        association.archive.log.broken_rule(f"an N-ACTION of {asked}")
    if message.context.abstract_syntax != STORAGE_COMMITMENT:
        association.archive.log.broken_rule(f"an N-ACTION in a context of {message.context.abstract_syntax}")


def _reports(archive: Archive, request: CommitmentRequest) -> list[Report]:
    report = honest_report(request, archive.stored)
    return list(archive.script.reports(request, report)) if archive.script.reports else [report]


def _port(archive: Archive) -> int:
    assert archive.script.reports_to is not None, "the script does not say whereto"
    return archive.script.reports_to


def _by_way(archive: Archive, reports: list[Report]) -> dict[Over, list[Report]]:
    usual = Over.SAME_ASSOCIATION if archive.script.reports_to is None else Over.NEW_ASSOCIATION
    ways: dict[Over, list[Report]] = {over: [] for over in Over}
    for report in reports:
        ways[(report.delivery or archive.script.delivery).over or usual].append(report)
    return ways


def _report_here(association: ServedAssociation, message: Message, report: Report) -> None:
    """Over the association that was asked on; its requestor may have left by now, or be asking something else."""
    archive = association.archive
    sent = SentReport(report, tries=1, problem="lost")
    archive.log.reports.append(sent)
    archive.stopping.wait((report.delivery or archive.script.delivery).delay_seconds)
    message_id = len(archive.log.reports)
    association.unanswered[message_id] = sent
    context_id = message.context.context_id
    association.link.send(request_pdus(context_id, report, message.transfer_syntax_uid, message_id))


def take_answer(association: ServedAssociation, message: Message) -> None:
    """An N-EVENT-REPORT-RSP came. Raises KeyError where it answers nothing that was reported."""
    if message.command_field != wire.N_EVENT_REPORT_RQ | wire.RESPONSE:
        raise ValueError(f"a message 0x{message.command_field:04X} came where a report was to be answered")
    sent = association.unanswered.pop(message.command_set.number(wire.MESSAGE_ID_BEING_RESPONDED_TO))
    sent.status_code, sent.problem = message.command_set.number(wire.STATUS), ""


def deliver(archive: Archive, report: Report, port: int, asked_by: str) -> None:
    """Bring a report over an association of the archive's own, so often as its delivery says."""
    delivery = report.delivery or archive.script.delivery
    sent = SentReport(report)
    archive.log.reports.append(sent)
    archive.stopping.wait(delivery.delay_seconds)
    while sent.status_code != SUCCESS and sent.tries < delivery.tries and not archive.stopping.is_set():
        if sent.tries:
            archive.stopping.wait(BETWEEN_TRIES_SECONDS)
        sent.tries += 1
        try:
            sent.status_code, sent.problem = _brought(archive, report, delivery, port, asked_by), ""
        except ConnectionRefusedError:
            sent.problem = "refused"
        except Ended as ended:
            sent.problem = ended.how


def _brought(archive: Archive, report: Report, delivery: Delivery, port: int, asked_by: str) -> int:
    """The status code answered, however the association ends then. Raises ConnectionRefusedError, and Ended where it
    came to nothing."""
    calling, called = delivery.calling_ae_title or archive.ae_title, delivery.called_ae_title or asked_by
    link = Link(socket.create_connection((HOST, port), timeout=PATIENCE_SECONDS))
    try:
        transfer_syntax_uid = _associate(link, calling, called, delivery.role)
        link.send(request_pdus(1, report, transfer_syntax_uid))
        status_code = _read_answer(link).number(wire.STATUS)
        with suppress(Ended):
            link.send(pdus.pdu(pdus.A_RELEASE_RQ, b"\0" * 4))
            link.read_pdu()
    finally:
        link.close()
    return status_code


def _associate(link: Link, calling: str, called: str, role: tuple[bool, bool] | None) -> str:
    """The transfer syntax of the one context."""
    link.send(_associate_pdu(calling, called, role))
    kind, body = link.read_pdu()
    encoded = bytes((kind, 0)) + len(body).to_bytes(4) + body
    if kind == pdus.A_ASSOCIATE_RJ:
        rejection = A_ASSOCIATE_RJ()
        rejection.decode(encoded)
        raise Ended(
            f"rejected: result {rejection.result}, source {rejection.source}, reason {rejection.reason_diagnostic}"
        )
    if kind != pdus.A_ASSOCIATE_AC:
        raise Ended(f"a PDU of type {kind} came")
    acceptance = A_ASSOCIATE_AC()
    acceptance.decode(encoded)
    (context,) = acceptance.to_primitive().presentation_context_definition_results_list
    if context.result != 0:
        raise Ended("not accepted")
    return str(context.transfer_syntax[0])


def _associate_pdu(calling: str, called: str, role: tuple[bool, bool] | None) -> bytes:
    request = A_ASSOCIATE()
    request.application_context_name = UID("1.2.840.10008.3.1.1.1")
    request.calling_ae_title, request.called_ae_title = calling, called
    context = build_context(STORAGE_COMMITMENT, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    context.context_id = 1
    request.presentation_context_definition_list = [context]
    maximum_length, class_uid = MaximumLengthNotification(), ImplementationClassUIDNotification()
    maximum_length.maximum_length_received = 16_384
    class_uid.implementation_class_uid = UID("1.2.3.4")
    roles = [build_role(STORAGE_COMMITMENT, *role)] if role else []
    request.user_information = [maximum_length, class_uid, *roles]
    return bytes(A_ASSOCIATE_RQ(request).encode())


def request_pdus(context_id: int, report: Report, transfer_syntax_uid: str, message_id: int = 1) -> bytes:
    command_set = encode_command_set(
        {
            wire.AFFECTED_SOP_CLASS_UID: STORAGE_COMMITMENT,
            wire.COMMAND_FIELD: wire.N_EVENT_REPORT_RQ,
            wire.MESSAGE_ID: message_id,
            wire.COMMAND_DATA_SET_TYPE: 0x0001,
            wire.AFFECTED_SOP_INSTANCE_UID: STORAGE_COMMITMENT_INSTANCE,
            wire.EVENT_TYPE_ID: report.event_type,
        }
    )
    information = report.encoded(transfer_syntax_uid)
    return b"".join(
        [
            *data_pdus(context_id, command_set, FRAGMENT_LENGTH, is_command=True),
            *data_pdus(context_id, information, FRAGMENT_LENGTH, is_command=False),
        ]
    )


def _read_answer(link: Link) -> CommandSet:
    encoded = b""
    while True:
        kind, body = link.read_pdu()
        if kind != pdus.P_DATA_TF:
            raise Ended("aborted" if kind == pdus.A_ABORT else f"a PDU of type {kind} came")
        for _, _, is_last, fragment in data_values(body):
            encoded += fragment
            if is_last:
                return decode_command_set(encoded)
