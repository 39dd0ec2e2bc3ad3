"""One STOW-RS request, and what its answer says of each of its instances."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from http import HTTPStatus
from typing import Any

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind
from transfers.errors import AnswerTooLarge, MalformedAnswer, SourceError, SourceFileChanged
from transfers.methods.files_sent import FileSent
from transfers.methods.http_sender import InstanceBroke, TooMuchAtOnce
from transfers.methods.journal import Journal
from transfers.methods.task import SendTask
from transfers.sources.base import InstanceReaders
from transfers.wire.http import HttpAnswer, HttpSession, path_of
from transfers.wire.http_body import Body
from transfers.wire.http_faults import fault_of_status
from transfers.wire.multipart_body import MultipartBody
from transfers.wire.stow import StowAnswer, read_stow_answer
from transfers.wire.stow_reasons import is_listed, store_failure_text, store_warning_text

_ACCEPT = "application/dicom+json, application/dicom+xml;q=0.5"
_LARGEST_ANSWER_BYTES = 1024 * 1024
_LARGEST_RECEIPT_BYTES = 4096
"""Of one instance: its three UIDs, a reason, and where it can be retrieved."""
_WITHOUT_RECEIPTS = frozenset({401, 403, 404, 405, 407, 408, 410, 429})
_MAY_HAVE_RECEIPTS = frozenset(range(400, 600)) - _WITHOUT_RECEIPTS
"""Statuses whose body may say all the same what was stored: of 400 and 409 the standard has it so (PS3.18 10.5.3)."""


_TOO_EARLY = "The answer has a receipt for it and came before all of it was sent"


def size_of_file(entry: ManifestEntry) -> int:
    """In bytes, to the end of its data set."""
    return entry.data_set_offset + entry.data_set_size


class StowRequest:
    """As Carrier promises; safe for several threads."""

    def __init__(self, session: HttpSession, journal: Journal, *, is_buffered: bool) -> None:
        self._session = session
        self._journal = journal
        self._is_buffered = is_buffered

    def carry(self, portion: Sequence[SendTask], readers: InstanceReaders, number: int) -> None:
        """As Carrier promises."""
        multipart = MultipartBody()
        parts = _Parts(portion, readers, self._journal, number)
        chunks = multipart.chunks(parts)
        length = multipart.length([size_of_file(task.entry) for task in portion])
        body: Body = _Measured(chunks, length) if self._is_buffered else chunks
        headers = {"Content-Type": multipart.content_type, "Accept": _ACCEPT}
        with self._session.open(
            "POST", _path_for(portion), headers=headers, body=body, accepted=_MAY_HAVE_RECEIPTS
        ) as answer:
            said = _said(answer, _LARGEST_ANSWER_BYTES + len(portion) * _LARGEST_RECEIPT_BYTES)
        if not (said.stored or said.failed):
            _check_that_it_was_taken(answer, len(portion))
        self._take(portion, said, answer.status_code, number, parts.written)

    def _take(
        self, portion: Sequence[SendTask], said: StowAnswer, status_code: int, number: int, written: Collection[str]
    ) -> None:
        uids = [task.entry.sop_instance_uid for task in portion]
        for uid in uids:
            kind, detail = _judged(uid, said, status_code)
            if kind is EvidenceKind.ACKNOWLEDGED and uid not in written:
                # Whoever answers before he was told all has not read this one, or not from here.
                kind, detail = EvidenceKind.ANSWER_UNCLEAR, {"reason": _TOO_EARLY}
            self._journal.observe(uid, kind, {"http_status": status_code, "request": number, **detail})
        foreign = (said.stored.keys() | said.failed.keys()) - set(uids)
        if foreign or said.other_failures:
            counts = {"foreign": len(foreign), "not_understood": said.other_failures}
            self._journal.occurred("odd_receipts", {"request": number, **counts})


def _path_for(portion: Sequence[SendTask]) -> str:
    """With the study where it is one, so that the service takes no instance of another (PS3.18 10.5.1)."""
    studies = {task.entry.study_instance_uid for task in portion}
    return path_of("studies", *studies) if len(studies) == 1 else "/studies"


def _check_that_it_was_taken(answer: HttpAnswer, instances: int) -> None:
    """Raise RequestError where an answer without a receipt says nothing of what was sent; TooMuchAtOnce for a 413."""
    if answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and instances > 1:
        raise TooMuchAtOnce(fault_of_status(answer.status_code, answer.headers))
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise fault_of_status(answer.status_code, answer.headers)


def _judged(uid: str, said: StowAnswer, status_code: int) -> tuple[EvidenceKind, dict[str, Any]]:
    if uid in said.stored and uid in said.failed:
        return EvidenceKind.ANSWER_UNCLEAR, {"reason": "The answer lists it as stored and as failed"}
    if uid in said.stored:
        return EvidenceKind.ACKNOWLEDGED, _warning(said.stored[uid])
    if uid not in said.failed:
        reason = f"The service answered {status_code} and gave no receipt for it"
        return EvidenceKind.ANSWER_UNCLEAR, {"code": "no_receipt", "reason": reason}
    reason_code = said.failed[uid]
    if reason_code is None:
        return EvidenceKind.ANSWER_UNCLEAR, {"reason": "The answer lists it as failed, and gives no reason"}
    detail = {"status_code": f"0x{reason_code:04X}", "meaning": store_failure_text(reason_code)}
    return EvidenceKind.REFUSED if is_listed(reason_code) else EvidenceKind.ANSWER_UNCLEAR, detail


def _warning(reason: int | None) -> dict[str, Any]:
    return {} if not reason else {"status_code": f"0x{reason:04X}", "meaning": store_warning_text(reason)}


def _said(answer: HttpAnswer, limit_bytes: int) -> StowAnswer:
    """What can be read of it: a page for people says nothing. Raises RequestError where it was cut."""
    try:
        return read_stow_answer(answer.read(limit_bytes), answer.media_type)
    except (AnswerTooLarge, MalformedAnswer):
        return StowAnswer()


class _Measured:
    """A body whose length is known."""

    def __init__(self, chunks: Iterator[bytes], length: int) -> None:
        self._chunks = chunks
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


class _Parts:
    """The files of a portion, each opened when its turn comes, and written down as sent once it has gone out."""

    def __init__(self, portion: Sequence[SendTask], readers: InstanceReaders, journal: Journal, number: int) -> None:
        self._portion = portion
        self._readers = readers
        self._journal = journal
        self._number = number
        self.written: set[str] = set()
        """SOP Instance UIDs of what has gone out as a whole."""

    def __iter__(self) -> Iterator[_Part]:
        for position, task in enumerate(self._portion):
            yield _Part(task, self._portion[:position], self._readers, self._written)

    def _written(self, file: FileSent) -> None:
        self._journal.write(file.observation(self._number))
        self.written.add(file.task.entry.sop_instance_uid)


class _Part:
    def __init__(
        self,
        task: SendTask,
        before: Sequence[SendTask],
        readers: InstanceReaders,
        on_written: Callable[[FileSent], None],
    ) -> None:
        self.size = size_of_file(task.entry)
        self._task = task
        self._before = before
        self._readers = readers
        self._on_written = on_written

    def chunks(self) -> Iterator[bytes]:
        try:
            with self._readers.open_file(self._task.entry) as reader:
                file = FileSent(self._task, reader)
                if file.size != self.size:  # which was announced
                    raise SourceFileChanged
                yield from file.chunks()
        except SourceError as error:
            raise InstanceBroke(self._task, error, self._before) from error
        self._on_written(file)
