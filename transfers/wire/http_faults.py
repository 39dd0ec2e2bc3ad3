"""What the errors of requests and the statuses of HTTP (RFC 9110 15) mean to us, in words that name no URL."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from urllib.parse import urlsplit

from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from transfers.endpoints import HttpEndpoint
from transfers.errors import (
    AnswerCut,
    CredentialsRefused,
    MalformedAnswer,
    RedirectRefused,
    RequestError,
    RequestRefused,
    RequestTimedOut,
    RequestTlsFailed,
    ResourceNotFound,
    ServiceAddressUnknown,
    ServiceBusy,
    ServiceFailed,
    ServiceUnreachable,
)
from transfers.wire.tls import tls_message

_LONGEST_WAIT_SECONDS = 3600.0

Fault = HTTPError | HTTPException | OSError | ValueError
"""All that a request or the reading of an answer raises."""


def address_of(endpoint: HttpEndpoint) -> str:
    """Where the service is, for messages: without path, user name and password."""
    try:
        split = urlsplit(endpoint.url)
        port = f":{split.port}" if split.port else ""
    except ValueError:
        return "the URL"
    return f"{split.hostname}{port}"


_REJECTIONS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE")
"""In the names of alerts by which a peer ends a handshake, of which TLS 1.3 lets us know when we think it done."""


def fault_of_request(error: Fault, endpoint: HttpEndpoint, *, is_connected: bool = False) -> RequestError:
    """Why a request was not answered.

    `is_connected`: there was a connection, so that it may have been written, and acted upon: then RequestTlsFailed only
    where the peer had not accepted us.
    """
    where = address_of(endpoint)
    causes = list(_causes(error))
    secured = next((each for each in causes if isinstance(each, ssl.SSLError)), None)
    if secured is not None and (not is_connected or _is_rejection(secured)):
        return RequestTlsFailed(tls_message(secured))
    if isinstance(error, SSLError) and not is_connected:
        return RequestTlsFailed()
    if any(isinstance(each, NameResolutionError) for each in causes):
        return ServiceAddressUnknown(f"The host name of {where} is not known. Check its spelling and the name server.")
    if any(isinstance(each, NewConnectionError) for each in causes):  # which is a ConnectTimeoutError to urllib3
        return ServiceUnreachable(f"No connection to {where}. Check the URL, and that the service is running.")
    if isinstance(error, ConnectTimeoutError):
        return ServiceUnreachable(
            f"{where} did not answer within {endpoint.timeouts.connect_seconds:g} seconds. "
            "Check the host, the port and the firewall."
        )
    if any(isinstance(each, ReadTimeoutError) for each in causes):
        return RequestTimedOut()
    if not isinstance(error, ValueError):
        return AnswerCut("The connection broke before there was an answer. Check the network, and the service's log.")
    return ServiceAddressUnknown("The URL cannot be used. Check its spelling; it begins with http:// or https://.")


def _is_rejection(error: ssl.SSLError) -> bool:
    reason = (error.reason or "").upper()
    return "ALERT" in reason and any(word in reason for word in _REJECTIONS)


def fault_of_reading(error: Fault) -> RequestError:
    """Why the body of an answer could not be read to its end."""
    causes = list(_causes(error))
    if any(isinstance(each, ReadTimeoutError | TimeoutError) for each in causes):
        return RequestTimedOut("The service fell silent in the middle of its answer.")
    if any(isinstance(each, DecodeError) for each in causes):
        return MalformedAnswer("The service's answer is compressed in a way that cannot be read.")
    return AnswerCut()


def fault_of_status(status_code: int, headers: Mapping[str, str]) -> RequestError:
    """What a status other than success means."""
    error = _judged(status_code, headers)
    error.status_code = status_code
    return error


def _judged(status_code: int, headers: Mapping[str, str]) -> RequestError:
    said = f"The service answered {status_code} {_phrase(status_code)}".rstrip() + "."
    if status_code in (401, 403, 407):
        return CredentialsRefused(f"{said} Check the user name and password, or the token, and what they allow there.")
    if status_code in (404, 410):
        return ResourceNotFound(
            f"{said} It does not have what was asked for, or not under this path: check the path in the URL."
        )
    if 300 <= status_code < 400:
        return RedirectRefused(
            f"{said} It sends us elsewhere, and we do not follow: set the URL to where it really is."
        )
    if status_code in (429, 503):
        busy = ServiceBusy(f"{said} It is too busy, or stopped for a while. Try again later.")
        busy.retry_after_seconds = _retry_after(headers.get("Retry-After", ""))
        return busy
    if status_code in (408, 504):
        return RequestTimedOut(f"{said} Something between us and the archive did not answer in time.")
    if status_code >= 500:
        return ServiceFailed(f"{said} Its log says why.")
    return RequestRefused(f"{said} Its log may say why.")


def _phrase(status_code: int) -> str:
    try:
        return HTTPStatus(status_code).phrase
    except ValueError:
        return ""


def _retry_after(value: str) -> float | None:
    """RFC 9110 10.2.3: seconds, or a date."""
    if value.strip().isdecimal():
        return min(float(value), _LONGEST_WAIT_SECONDS)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), _LONGEST_WAIT_SECONDS)


def _causes(error: BaseException) -> list[BaseException]:
    """The error and all that is behind it, which urllib3 keeps in `reason`, or in the arguments."""
    found: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        each = pending.pop()
        if not isinstance(each, BaseException) or each in found:
            continue
        found.append(each)
        pending += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
    return found
