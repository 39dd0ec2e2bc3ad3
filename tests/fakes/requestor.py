"""A bare SCU to try archives with: it writes messages and hands back whatever comes, without judging it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Protocol

from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.presentation import build_context

from tests.datasets import data_set_bytes
from tests.fakes import command_sets as wire
from tests.fakes.command_sets import CommandSet, decode_command_set, encode_command_set
from tests.fakes.link import A_ASSOCIATE_AC as ACCEPTED
from tests.fakes.link import A_RELEASE_RQ, P_DATA_TF, Link, data_pdus, data_values, pdu

FRAGMENT_LENGTH = 16378
MEDIUM = 0x0000


class Peer(Protocol):
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def ae_title(self) -> str: ...


class Requestor:
    """One association, with a presentation context for each of the SOP classes, in order 1, 3, 5 …"""

    def __init__(self, peer: Peer, *sop_class_uids: str, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> None:
        self.peer = peer
        self.sop_class_uids = sop_class_uids or (CTImageStorage,)
        self.transfer_syntax_uid = transfer_syntax_uid
        self.link = Link(socket.create_connection((peer.host, peer.port), timeout=5))
        self.message_id = 0

    def associate(self) -> dict[int | None, int | None]:
        """The result by context ID; AssertionError where something other than an A-ASSOCIATE-AC comes."""
        self.link.send(self.associate_pdu())
        kind, body = self.link.read_pdu()
        assert kind == ACCEPTED, f"a PDU of type {kind} came"
        answer = A_ASSOCIATE_AC()
        answer.decode(bytes((kind, 0)) + len(body).to_bytes(4) + body)
        results = answer.to_primitive().presentation_context_definition_results_list
        return {context.context_id: context.result for context in results}

    def associate_pdu(self) -> bytes:
        request = A_ASSOCIATE()
        request.application_context_name = UID("1.2.840.10008.3.1.1.1")
        request.calling_ae_title, request.called_ae_title = "REQUESTOR", self.peer.ae_title
        contexts = [build_context(uid, self.transfer_syntax_uid) for uid in self.sop_class_uids]
        for index, context in enumerate(contexts):
            context.context_id = 2 * index + 1
        request.presentation_context_definition_list = contexts
        maximum_length, class_uid = MaximumLengthNotification(), ImplementationClassUIDNotification()
        maximum_length.maximum_length_received = 16384
        class_uid.implementation_class_uid = UID("1.2.3.4")
        request.user_information = [maximum_length, class_uid]
        return bytes(A_ASSOCIATE_RQ(request).encode())

    def write_store(self, path: Path, sop_instance_uid: str, *, fragments: int | None = None) -> None:
        """Write a C-STORE-RQ in the first context; with `fragments`, only so many of its data set's."""
        self.message_id += 1
        command_set = encode_command_set(
            {
                wire.AFFECTED_SOP_CLASS_UID: self.sop_class_uids[0],
                wire.COMMAND_FIELD: wire.C_STORE_RQ,
                wire.MESSAGE_ID: self.message_id,
                wire.PRIORITY: MEDIUM,
                wire.COMMAND_DATA_SET_TYPE: 0x0001,
                wire.AFFECTED_SOP_INSTANCE_UID: sop_instance_uid,
            }
        )
        pdus = list(data_pdus(1, data_set_bytes(path), FRAGMENT_LENGTH, is_command=False))
        self.link.send(b"".join([*data_pdus(1, command_set, FRAGMENT_LENGTH, is_command=True), *pdus[:fragments]]))

    def read_answer(self) -> CommandSet:
        """The next command set, from however many PDUs."""
        encoded = b""
        while True:
            kind, body = self.link.read_pdu()
            assert kind == P_DATA_TF, f"a PDU of type {kind} came"
            for _, _, is_last, fragment in data_values(body):
                encoded += fragment
                if is_last:
                    return decode_command_set(encoded)

    def store(self, path: Path, sop_instance_uid: str) -> int:
        """The status code answered."""
        return self.answer_to_store(path, sop_instance_uid).number(wire.STATUS)

    def answer_to_store(self, path: Path, sop_instance_uid: str) -> CommandSet:
        self.write_store(path, sop_instance_uid)
        return self.read_answer()

    def ask_for_release(self) -> None:
        self.link.send(pdu(A_RELEASE_RQ, b"\0" * 4))
