"""A small DICOM archive on loopback, to try Tallyman with: answers C-ECHO, C-STORE, C-FIND, and commits.

No Django. An instance is written byte for byte as it was received, made durable, and only then answered with success;
what is stored is never overwritten. Asked to commit (PS3.4 Annex J), it looks at its files again and reports.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydicom import Dataset
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, _config, evt
from pynetdicom.dimse_primitives import C_STORE, N_ACTION
from pynetdicom.events import Event
from pynetdicom.transport import ThreadedAssociationServer

from transfers.demo_commitment import (
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
    Address,
    Committer,
    UnsuitableRequest,
    read_request,
)
from transfers.demo_index import UNIQUE_KEYS, Keys, Row
from transfers.demo_store import ContentDiffers, DemoStore, ReceivedInstance, UnsuitableDataSet

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
DEFAULT_AE_TITLE = "TALLYMANDEMO"
VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"

SUCCESS, PENDING, CANCELLED = 0x0000, 0xFF00, 0xFE00
PROCESSING_FAILURE, DUPLICATE_SOP_INSTANCE = 0x0110, 0x0111
OUT_OF_RESOURCES, IDENTIFIER_DOES_NOT_MATCH, UNABLE_TO_PROCESS = 0xA700, 0xA900, 0xC000
NO_SUCH_SOP_INSTANCE, INVALID_ARGUMENT_VALUE, NO_SUCH_ACTION = 0x0112, 0x0115, 0x0123
REQUEST_STORAGE_COMMITMENT = 1
NO_SPACE_LEFT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
ERROR_COMMENT_LENGTH = 64


class DemoArchive:
    """Listens between `start` and `stop`; any AE may ask. With port 0 the port is one that is free."""

    host = HOST

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        ae_title: str = DEFAULT_AE_TITLE,
        report_to: Mapping[str, Address] | None = None,
        report_port: int = 11_112,
    ) -> None:
        """Reports on storage commitment go where `report_to` says for the AE title that asked, else to its own host.

        Raises OSError where the folder cannot be written to.
        """
        self.port = port
        self.ae_title = ae_title
        self.store = DemoStore(folder)
        self._committer = Committer(self.store, ae_title)
        self._report_to = dict(report_to or {})
        self._report_port = report_port
        self._entity = AE(ae_title=ae_title)
        self._entity.maximum_pdu_size = 131072
        self._entity.maximum_associations = 32
        for context in AllStoragePresentationContexts:
            self._entity.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)
        self._entity.add_supported_context(VERIFICATION)
        self._entity.add_supported_context(STUDY_ROOT_FIND)
        self._entity.add_supported_context(STORAGE_COMMITMENT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; raises OSError where the port is taken."""
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._answer_store),
            (evt.EVT_C_FIND, self._answer_find),
            (evt.EVT_N_ACTION, self._answer_action),
        ]
        server = self._entity.start_server((HOST, self.port), block=False, evt_handlers=handlers)
        assert isinstance(server, ThreadedAssociationServer)
        assert server.socket is not None
        # What a listening socket is told is what its connections begin with.
        server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = server.socket.getsockname()[1]
        self._committer.start()

    def stop(self) -> None:
        """Abort what is under way and stop listening."""
        self._committer.stop()
        self._entity.shutdown()

    def _answer_store(self, event: Event) -> int | Dataset:
        """PS3.4 B.2.3 and PS3.7 9.1.1.1.9."""
        try:
            self.store.store(_received(event))
        except ContentDiffers as error:
            return _failure(DUPLICATE_SOP_INSTANCE, str(error))
        except UnsuitableDataSet as error:
            return _failure(error.status_code, str(error))
        except OSError as error:
            logger.warning("The demo archive could not store an instance", extra={"error": str(error)})
            return _failure(_status_code(error), error.strerror or str(error))
        return SUCCESS

    def _answer_find(self, event: Event) -> Iterator[tuple[int | Dataset, Dataset | None]]:
        """PS3.4 C.4.1; the final success is pynetdicom's."""
        try:
            identifier = event.identifier
            keys = _keys(identifier)
        except Exception:  # noqa: BLE001 whatever pydicom makes of a broken identifier
            yield _failure(UNABLE_TO_PROCESS, "The identifier cannot be decoded"), None
            return
        level = str(identifier.get("QueryRetrieveLevel", ""))
        if level not in UNIQUE_KEYS:
            yield _failure(IDENTIFIER_DOES_NOT_MATCH, "Query/Retrieve Level is not STUDY, SERIES or IMAGE"), None
            return
        for row in self.store.index.find(level, keys):
            if event.is_cancelled:
                yield CANCELLED, None
                return
            yield PENDING, self._response(row, identifier)

    def _answer_action(self, event: Event) -> tuple[int | Dataset, None]:
        """PS3.4 J.3.2; the report follows over an association of its own."""
        request = event.request
        assert isinstance(request, N_ACTION)
        if request.RequestedSOPInstanceUID != STORAGE_COMMITMENT_INSTANCE:
            return _failure(NO_SUCH_SOP_INSTANCE, "Only the well-known instance of Storage Commitment"), None
        if event.action_type != REQUEST_STORAGE_COMMITMENT:
            return _failure(NO_SUCH_ACTION, "Only Request Storage Commitment, action type 1"), None
        requestor = event.assoc.requestor
        address = self._report_to.get(requestor.ae_title, (str(requestor.address), self._report_port))
        try:
            self._committer.take(read_request(event.action_information, requestor.ae_title, address))
        except UnsuitableRequest as error:
            return _failure(INVALID_ARGUMENT_VALUE, str(error)), None
        return SUCCESS, None

    def _response(self, row: Row, identifier: Dataset) -> Dataset:
        """The keys that were asked for, with what the row has (PS3.4 C.4.1.1.3.2)."""
        response = Dataset()
        response.SpecificCharacterSet = "ISO_IR 192"
        response.QueryRetrieveLevel = identifier.QueryRetrieveLevel
        response.RetrieveAETitle = self.ae_title
        for element in identifier:
            if element.tag not in response:
                value = row.get(element.keyword) or None
                response[element.tag] = DataElement(element.tag, element.VR, value, validation_mode=IGNORE)
        return response


def accept_private_sop_classes() -> None:
    """Make every pynetdicom SCP of this process take SOP classes that it does not know; it has no narrower setting."""
    _config.UNRESTRICTED_STORAGE_SERVICE = True


def _received(event: Event) -> ReceivedInstance:
    request = event.request
    assert isinstance(request, C_STORE)
    if request.DataSet is None:
        raise UnsuitableDataSet(UNABLE_TO_PROCESS, "There is no data set")
    return ReceivedInstance(
        sop_class_uid=str(request.AffectedSOPClassUID),
        sop_instance_uid=str(request.AffectedSOPInstanceUID),
        transfer_syntax_uid=str(event.context.transfer_syntax),
        data_set=request.DataSet.getbuffer(),
    )


def _keys(identifier: Dataset) -> Keys:
    return {
        element.keyword: _values(element.value) for element in identifier if element.keyword != "QueryRetrieveLevel"
    }


def _values(value: object) -> tuple[str, ...]:
    if isinstance(value, MultiValue):
        return tuple(map(str, value))
    return () if value in (None, "") else (str(value),)


def _status_code(error: OSError) -> int:
    return OUT_OF_RESOURCES if error.errno in NO_SPACE_LEFT else PROCESSING_FAILURE


def _failure(status_code: int, comment: str) -> Dataset:
    answer = Dataset()
    answer.Status = status_code
    answer.ErrorComment = comment[:ERROR_COMMENT_LENGTH]
    return answer
