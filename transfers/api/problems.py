"""Every error of the API as problem+json (RFC 9457), with a stable code, and without our internals."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, TooManyFilesSent
from django.http import Http404
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from audit.receipts import AuditIsOpen
from transfers.batch_queue import BatchHasMoved
from transfers.errors import TransferError
from transfers.feasibility import NotFeasible
from transfers.import_roots import PathNotAllowed
from transfers.passwords import PasswordUnreadable
from transfers.queue import TransferIsHeld
from transfers.rollback import CannotRollBack
from transfers.services import DestinationMoved, NothingToCancel, NothingToRetry
from transfers.submissions import IdempotencyKeyReused, NothingIsNew, NothingSubmitted, UploadUnfinished
from transfers.uploads import (
    DiskFull,
    MoreThanAnnounced,
    OffsetMismatch,
    PartTooLarge,
    QuotaExceeded,
    UploadBusy,
    UploadInUse,
    UploadRemoved,
    is_full_disk,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE = "about:blank"
"""What a problem is about is said by its code; there is no page for each."""

INTENTS: Mapping[type[Exception], str] = {
    TransferIsHeld: "transfer_is_held",
    NothingToRetry: "nothing_to_retry",
    NothingToCancel: "nothing_to_cancel",
    DestinationMoved: "destination_moved",
    CannotRollBack: "cannot_roll_back",
    AuditIsOpen: "audit_is_open",
    NothingIsNew: "nothing_is_new",
    NotFeasible: "not_feasible",
    PasswordUnreadable: "password_unreadable",
}
"""Errors of the services with the codes that they have here: each means that this is not the moment for it."""

ANSWERS: Mapping[type[TransferError], HTTPStatus] = {
    BatchHasMoved: HTTPStatus.CONFLICT,
    UploadUnfinished: HTTPStatus.CONFLICT,
    OffsetMismatch: HTTPStatus.CONFLICT,
    UploadBusy: HTTPStatus.CONFLICT,
    UploadInUse: HTTPStatus.CONFLICT,
    UploadRemoved: HTTPStatus.GONE,
    IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    NothingSubmitted: HTTPStatus.BAD_REQUEST,
    PathNotAllowed: HTTPStatus.BAD_REQUEST,
    MoreThanAnnounced: HTTPStatus.BAD_REQUEST,
    PartTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    QuotaExceeded: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    DiskFull: HTTPStatus.INSUFFICIENT_STORAGE,
}
_FIELDS: Mapping[type[TransferError], str] = {PathNotAllowed: "path"}
"""Which field of the request an error of ours is about."""


class Problem(Response):
    """JSON, whatever the view answers in otherwise."""

    @property
    def rendered_content(self) -> str:
        self["Content-Type"] = MEDIA_TYPE
        return str(JSONRenderer().render(self.data), "utf-8")


def problem(
    answer: HTTPStatus, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
) -> Response:
    """A response that says what went wrong, and what to do about it."""
    return Problem(document(answer, code, detail, **members), answer, headers=headers)


def document(answer: HTTPStatus, code: str, detail: str, **members: Any) -> dict[str, Any]:
    """The problem as JSON can hold it."""
    head = {"type": TYPE, "title": answer.phrase, "status": answer.value, "code": code, "detail": detail}
    return head | members


def handle(error: Exception, _context: Mapping[str, Any]) -> Response:
    """The exception handler of the API (REST_FRAMEWORK in the settings)."""
    set_rollback()
    if isinstance(error, TransferError):
        return _of_ours(error)
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    if code := INTENTS.get(type(error)):
        return problem(HTTPStatus.CONFLICT, code, str(error) or " ".join((type(error).__doc__ or "").split()))
    return _of_django(error)


def _of_ours(error: TransferError) -> Response:
    answer = ANSWERS.get(type(error), HTTPStatus.BAD_GATEWAY)
    members: dict[str, Any] = {}
    if field := _FIELDS.get(type(error)):
        members["errors"] = {field: [str(error)]}
    if isinstance(error, OffsetMismatch):
        members["offset"] = error.offset
    return problem(answer, error.code, str(error), **members)


def _of_framework(error: exceptions.APIException) -> Response:
    if isinstance(error, exceptions.ValidationError):
        detail = "The request is not valid; the errors say which fields, and why."
        return problem(HTTPStatus.BAD_REQUEST, "invalid", detail, errors=_by_field(error.detail))
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait) + 1)
    return problem(HTTPStatus(error.status_code), str(error.default_code), str(error.detail), headers=headers)


def _by_field(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """The messages of each field, those within a field under `field.part`."""
    if isinstance(detail, Mapping):
        errors: dict[str, list[str]] = {}
        for name, part in detail.items():
            errors |= _by_field(part, f"{prefix}.{name}" if prefix else str(name))
        return errors
    messages = detail if isinstance(detail, list) else [detail]
    if any(isinstance(each, Mapping) for each in messages):
        return _by_field({str(number): each for number, each in enumerate(messages) if each}, prefix)
    return {prefix or "request": [str(each) for each in messages]}


def _of_django(error: Exception) -> Response:
    if isinstance(error, Http404):
        return problem(HTTPStatus.NOT_FOUND, "not_found", "There is nothing at this address.")
    if isinstance(error, PermissionDenied):
        return problem(HTTPStatus.FORBIDDEN, "permission_denied", "You may not do this.")
    if isinstance(error, RequestDataTooBig):
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", "The body of the request is too large.")
    if isinstance(error, TooManyFilesSent):
        detail = (
            f"One request brings at most {settings.DATA_UPLOAD_MAX_NUMBER_FILES:,} files: "
            "pack them into a ZIP file, or send them by uploads."
        )
        return problem(HTTPStatus.BAD_REQUEST, "too_many_files", detail, errors={"files": [detail]})
    if isinstance(error, SuspiciousOperation):
        return problem(HTTPStatus.BAD_REQUEST, "bad_request", "The request could not be read.")
    if is_full_disk(error):
        return _of_ours(DiskFull())
    logger.error("The API failed by an error of ours", extra={"action": "api_failed"}, exc_info=error)
    detail = "An error of ours. What was saved before is kept; the log of the server says more."
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "our_error", detail)
