"""The jobs of a source Orthanc: posted, followed and cancelled, and the storage commitment that it asks for.

A job is posted asynchronously, and never `Permissive`, which hides refusals behind success. It is never resubmitted: a
resubmitted STOW-RS job was measured answering success with a part stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import UUID

from transfers.errors import MalformedAnswer, RequestError
from transfers.wire.foreign_text import clean_text
from transfers.wire.http import HttpAnswer, HttpSession, path_of
from transfers.wire.http_faults import fault_of_status
from transfers.wire.orthanc import Orthanc

SUCCESS = "Success"
FAILURE = "Failure"
_ENDED = frozenset({SUCCESS, FAILURE})
_TRANSACTION_UID = re.compile(r"[0-9.]{1,64}")
_COUNT = re.compile(r"[0-9]{1,12}")
_LARGEST_FAULT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class PostedJob:
    """A job that an Orthanc has taken on."""

    job_id: str
    is_remote: bool = False
    """Whether it lives on the other Orthanc (an accelerated peer that fetches by itself)."""


@dataclass(frozen=True, slots=True)
class Job:
    """What an Orthanc says of a job now."""

    state: str
    """Pending, Running, Success, Failure, Paused, Retry."""
    progress: int
    """0 to 100; not a count of what is stored, and 100 with Failure happens."""
    job_type: str = ""
    error_code: int = 0
    """Of Orthanc; 0 is success."""
    said: str = ""
    """Why it failed, as far as it says, made fit to be shown."""
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What is particular to its type."""

    @property
    def has_ended(self) -> bool:
        return self.state in _ENDED

    def count(self, member: str) -> int | None:
        """A count among its content, which some jobs give as text; None where it is not told."""
        value = self.content.get(member)
        if isinstance(value, str) and _COUNT.fullmatch(value):
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class CommitmentAnswer:
    """What an Orthanc was told of a storage commitment that it had asked for."""

    is_pending: bool
    remote_ae_title: str = ""
    committed: tuple[tuple[str, str], ...] = ()
    """SOP Class UID, SOP Instance UID."""
    failed: tuple[tuple[str, int | None], ...] = ()
    """SOP Instance UID, Failure Reason (0008,1197)."""


class OrthancJobs:
    """All raise RequestError."""

    def __init__(self, session: HttpSession) -> None:
        self.session = session

    def post(self, path: str, body: Mapping[str, Any]) -> PostedJob:
        """Have a job begun.

        Raises ResourceNotFound where Orthanc knows no such alias, or not one of the resources any more, and
        MalformedAnswer where it may have begun one, and does not say which.
        """
        answer = self._post(path, body)
        if not isinstance(answer, dict):
            raise MalformedAnswer("The source does not say which job it began.")
        if "RemoteJob" in answer:
            return PostedJob(_job_id(answer["RemoteJob"]), is_remote=True)
        return PostedJob(_job_id(answer.get("ID")))

    def read(self, job_id: str) -> Job | None:
        """None where Orthanc does not know it (any more): it keeps few that have ended, and some not over a restart.

        Raises ResourceNotFound, or NotTheService, where it is something else that does not: what stands in front of an
        Orthanc that is down for a while.
        """
        with self.session.open("GET", f"/jobs/{_job_id(job_id)}", accepted=(HTTPStatus.NOT_FOUND,)) as answer:
            if answer.status_code != HTTPStatus.NOT_FOUND:
                return _job(answer.json())
        Orthanc(self.session).system()
        return None

    def has_under_way(self, types: Collection[str]) -> bool:
        """Whether any job of these types has not ended yet, whoever began it."""
        answer = self.session.get_json("/jobs", parameters={"expand": ""})
        if not isinstance(answer, list):
            raise MalformedAnswer("The list of jobs cannot be read.")
        return any(job.job_type in types and not job.has_ended for job in map(_job, answer))

    def cancel(self, job_id: str) -> None:
        """Ask for its end; it ends a moment later, unless it has already, or is not known any more (400)."""
        path, gone = f"/jobs/{_job_id(job_id)}/cancel", (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
        with self.session.open("POST", path, body=b"", accepted=gone, is_repeatable=True) as answer:
            answer.read(_LARGEST_FAULT_BYTES)

    def ask_commitment(self, alias: str, references: Sequence[tuple[str, str]]) -> str:
        """Have it ask a modality to commit to these SOP classes and instances; the Transaction UID.

        Orthanc answers once the N-ACTION is answered (PS3.4 J.3.2).
        """
        path = path_of("modalities", alias, "storage-commitment")
        answer = self._post(path, {"DicomInstances": [list(reference) for reference in references]})
        uid = answer.get("ID") if isinstance(answer, dict) else None
        if not isinstance(uid, str) or not _TRANSACTION_UID.fullmatch(uid):
            raise MalformedAnswer("The source does not say under which Transaction UID it asked.")
        return uid

    def commitment(self, transaction_uid: str) -> CommitmentAnswer:
        """Raises ResourceNotFound where Orthanc does not know it (any more): it keeps reports in memory only."""
        return _commitment(self.session.get_json(path_of("storage-commitment", transaction_uid)))

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        content = json.dumps(body).encode()
        refusals = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR)
        with self.session.open("POST", path, headers=headers, body=content, accepted=refusals) as answer:
            if answer.status_code in refusals:
                raise _fault(answer)
            return answer.json()


def _fault(answer: HttpAnswer) -> RequestError:
    """What the status means, and in Orthanc's own words why, where it says so."""
    error = fault_of_status(answer.status_code, answer.headers)
    try:
        told = json.loads(answer.read(_LARGEST_FAULT_BYTES))
    except (RequestError, ValueError, RecursionError):
        return error
    if not isinstance(told, dict):
        return error
    words = _words(told.get("Message"), told.get("Details"))
    if not words:
        return error
    said = type(error)(f"The source refuses: {words}.")
    said.status_code = error.status_code
    return said


def _job(answer: Any) -> Job:
    if not isinstance(answer, dict) or not isinstance(answer.get("State"), str):
        raise MalformedAnswer("What the service says of the job cannot be read.")
    content = answer.get("Content")
    content = content if isinstance(content, dict) else {}
    failed = answer["State"] == FAILURE
    return Job(
        state=clean_text(answer["State"]),
        progress=_number(answer.get("Progress")),
        job_type=clean_text(str(answer.get("Type", ""))),
        error_code=_number(answer.get("ErrorCode")),
        said=_why(answer, content) if failed else "",
        content=content,
    )


def _why(answer: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """Jobs of plug-ins keep the reason in their content."""
    general = answer.get("ErrorDescription")
    of_plugin = content.get("FunctionErrorDescription")
    details = answer.get("ErrorDetails") or content.get("FunctionErrorDetails")
    return _words(of_plugin or general, details)


def _words(*texts: Any) -> str:
    return clean_text(": ".join(text.strip().rstrip(".") for text in texts if isinstance(text, str) and text.strip()))


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _job_id(job_id: Any) -> str:
    """Return it where it has the form of the ID of a job, so that it leads nowhere else. Raises MalformedAnswer."""
    try:
        return str(UUID(job_id))
    except (ValueError, TypeError, AttributeError) as error:
        raise MalformedAnswer("The service gave an identifier that is none of a job.") from error


def _commitment(answer: Any) -> CommitmentAnswer:
    try:
        if answer["Status"] == "Pending":
            return CommitmentAnswer(is_pending=True)
        return CommitmentAnswer(
            is_pending=False,
            remote_ae_title=clean_text(str(answer["RemoteAET"])),
            committed=tuple((str(each["SOPClassUID"]), str(each["SOPInstanceUID"])) for each in answer["Success"]),
            failed=tuple((str(each["SOPInstanceUID"]), _reason(each)) for each in answer["Failures"]),
        )
    except (KeyError, TypeError) as error:
        raise MalformedAnswer("The report of storage commitment cannot be read.") from error


def _reason(failure: Mapping[str, Any]) -> int | None:
    reason = failure.get("FailureReason")
    return reason if isinstance(reason, int) and 0 <= reason <= 0xFFFF else None
