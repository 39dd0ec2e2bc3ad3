"""One instance posted to an Orthanc, and what its answer means."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from audit.observations import EvidenceKind, Observation
from transfers.errors import AnswerTooLarge, MalformedAnswer, RequestError, SourceError, TransferError
from transfers.methods.files_sent import FileSent, md5_of_file_sent
from transfers.methods.http_sender import InstanceBroke
from transfers.methods.journal import Journal
from transfers.methods.stored_copy import compare_with_stored
from transfers.methods.task import SendTask
from transfers.sources.base import InstanceReaders
from transfers.wire.foreign_text import clean_text
from transfers.wire.http import HttpAnswer
from transfers.wire.http_body import Body
from transfers.wire.http_faults import fault_of_status
from transfers.wire.orthanc import FileState, Orthanc, checked_id, tag_of

_LARGEST_ANSWER_BYTES = 65_536
_GZIP = 16 + zlib.MAX_WBITS
_ALREADY_STORED = "AlreadyStored"

_OF_STATUS: Mapping[str, tuple[EvidenceKind, str]] = {
    "Success": (EvidenceKind.ACKNOWLEDGED, "stored"),
    _ALREADY_STORED: (EvidenceKind.ACKNOWLEDGED, "it had one already, and threw ours away"),
    "FilteredOut": (EvidenceKind.REFUSED, "filtered out by a rule of the destination"),
    "Failure": (EvidenceKind.REFUSED, "it could not be stored"),
}
"""Orthanc's ImportStatus, as POST /instances answers it."""
_REFUSING = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.INSUFFICIENT_STORAGE})
"""Statuses by which it refuses this one instance: no DICOM to it, too large, no room left."""


class _Body:
    """A file as the body of a request whose length is known."""

    def __init__(self, file: FileSent) -> None:
        self._file = file

    def __len__(self) -> int:
        return self._file.size

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._file.chunks()
        except SourceError as error:
            raise InstanceBroke(self._file.task, error) from error


class OrthancPosting:
    """As Carrier promises; safe for several threads."""

    def __init__(
        self, orthanc: Orthanc, journal: Journal, spool_folder: Path | None, *, is_compressed: bool = False
    ) -> None:
        self._orthanc = orthanc
        self._journal = journal
        self._spool_folder = spool_folder
        self._is_compressed = is_compressed

    def carry(self, portion: Sequence[SendTask], readers: InstanceReaders, number: int) -> None:
        """As Carrier promises: post the one instance of the portion."""
        (task,) = portion
        headers = {"Content-Type": "application/dicom", "Accept": "application/json"}
        with readers.open_file(task.entry) as reader:
            file = FileSent(task, reader)
            body: Body = _Body(file)
            if self._is_compressed:
                headers["Content-Encoding"] = "gzip"
                body = _compressed(_Body(file))
            try:
                with self._orthanc.session.open(
                    "POST", "/instances", headers=headers, body=body, accepted=_REFUSING
                ) as answer:
                    said = _said(answer)
            finally:
                if file.is_out:  # also where no answer comes: whoever sends other content needs to know of ours
                    self._journal.write(file.observation(number))
        self._take(file, said, answer, readers, number)

    def _take(
        self, file: FileSent, said: Mapping[str, Any], answer: HttpAnswer, readers: InstanceReaders, number: int
    ) -> None:
        uid = file.task.entry.sop_instance_uid
        kind, detail = _refusal(answer, said) if answer.status_code in _REFUSING else self._judged(file, said)
        detail |= {"http_status": answer.status_code, "request": number}
        if status := clean_text(str(said.get("Status", ""))):
            detail["status"] = status
        self._journal.observe(uid, kind, detail)
        if kind is EvidenceKind.ACKNOWLEDGED and status == _ALREADY_STORED:
            self._compare(file, str(said["ID"]), readers)

    def _judged(self, file: FileSent, said: Mapping[str, Any]) -> tuple[EvidenceKind, dict[str, Any]]:
        found = _OF_STATUS.get(str(said.get("Status", "")))
        if found is None:
            return EvidenceKind.ANSWER_UNCLEAR, {"reason": "The answer does not say what became of the instance."}
        kind, meaning = found
        if kind is EvidenceKind.ACKNOWLEDGED and not file.is_out:
            return EvidenceKind.ANSWER_UNCLEAR, {"reason": "The answer came before all of the instance was sent."}
        if kind is EvidenceKind.ACKNOWLEDGED and not self._names_it(file, said):
            return EvidenceKind.ANSWER_UNCLEAR, {"reason": "The answer is about another instance than was sent."}
        return kind, {"meaning": meaning}

    def _names_it(self, file: FileSent, said: Mapping[str, Any]) -> bool:
        """Whether the answer gives an Orthanc ID at all; what that is of is looked at where our body was discarded."""
        try:
            checked_id(said.get("ID"))
        except MalformedAnswer:
            return False
        return not file.task.entry.source_id or file.task.entry.source_id == said["ID"]

    def _compare(self, file: FileSent, orthanc_id: str, readers: InstanceReaders) -> None:
        """What lies there in place of ours: by its digest, else by reading it back. What cannot be told stays open."""
        entry = file.task.entry
        try:
            found = tag_of(self._orthanc.resource("Instance", orthanc_id), "SOPInstanceUID").rstrip("\0 ")
            if found != entry.sop_instance_uid:
                raise MalformedAnswer("The answer is about another instance than was sent.")
            detail: dict[str, Any] = {"already_stored": True}
            md5 = entry.file_md5 or md5_of_file_sent(file, readers)
            if self._orthanc.attachment_md5(orthanc_id) == md5 and (
                self._orthanc.verify_md5(orthanc_id) is FileState.INTACT
            ):
                kind = EvidenceKind.IDENTICAL
                detail |= {"by": "digest", "md5": md5, "reason": "Its own digest of its file is that of ours"}
            else:
                kind, more = compare_with_stored(self._orthanc, orthanc_id, entry, readers, self._spool_folder)
                detail |= {"by": "read-back", **more}
        except TransferError as error:
            # Ours was thrown away: that it lists one proves nothing of ours until that one was read.
            detail = {"code": error.code, "reason": f"What it holds already could not be compared: {error}"}
            kind = EvidenceKind.UNREADABLE
        self._journal.write(Observation(entry.sop_instance_uid, kind, datetime.now(UTC), detail))


def _compressed(body: _Body) -> Iterator[bytes]:
    """As one gzip member (RFC 1952)."""
    compressor = zlib.compressobj(level=1, wbits=_GZIP)
    for chunk in body:
        if smaller := compressor.compress(chunk):
            yield smaller
    yield compressor.flush()


def _said(answer: HttpAnswer) -> Mapping[str, Any]:
    """The JSON object of the answer; empty where it is anything else. Raises RequestError where it was cut."""
    try:
        said = json.loads(answer.read(_LARGEST_ANSWER_BYTES))
    except (AnswerTooLarge, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _refusal(answer: HttpAnswer, said: Mapping[str, Any]) -> tuple[EvidenceKind, dict[str, Any]]:
    fault: RequestError = fault_of_status(answer.status_code, answer.headers)
    if answer.status_code == HTTPStatus.BAD_REQUEST and not said:
        # Orthanc gives its reason as JSON. Whoever else answers may not even have understood the request.
        return EvidenceKind.ANSWER_UNCLEAR, {"reason": str(fault)}
    return EvidenceKind.REFUSED, {"meaning": clean_text(str(said.get("Message") or "")) or str(fault)}
