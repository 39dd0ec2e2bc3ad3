"""Requests to one HTTP service: its credentials, TLS, time-outs and bounds, and its faults as our own errors.

Over urllib3, with what a destination must not decide left to us: no redirect is followed to another origin, the
environment (proxies, .netrc) is not asked, no answer takes for ever, and a stop ends whatever is under way.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from http.client import HTTPException
from threading import Event, Lock
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, quote_plus, urlencode

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout
from urllib3.exceptions import HTTPError
from urllib3.util import Url

from transfers.endpoints import ClientCredentials, HttpEndpoint, TlsSettings
from transfers.errors import (
    AccessTokenRefused,
    AnswerCut,
    AnswerTooLarge,
    CredentialsRefused,
    MalformedAnswer,
    NotTheService,
    RequestError,
    RequestInterrupted,
    RequestRefused,
    RequestTimedOut,
    RequestTlsFailed,
    TlsFailed,
)
from transfers.wire.access_tokens import AccessTokens
from transfers.wire.foreign_text import clean_text
from transfers.wire.http_body import Body, watched
from transfers.wire.http_credentials import BEARER, authorization
from transfers.wire.http_faults import fault_of_reading, fault_of_request, fault_of_status
from transfers.wire.http_request import Headers, HttpRequest, Parameters, url_of
from transfers.wire.http_watch import Exchange, Watch, carrying, watched_pool
from transfers.wire.tls import client_context

JSON_TYPES = frozenset({"application/json", "application/dicom+json", "text/json"})
LARGEST_JSON_BYTES = 64 * 1024 * 1024
_LARGEST_TOKEN_BYTES = 65_536
_TOKENLESS = "There is no access token"
CHUNK_BYTES = 256 * 1024
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_PATIENCE = 10
"""How many times the time to answer an answer may take in all."""
_PAGES_FOR_PEOPLE = frozenset({"text/html", "application/xhtml+xml"})
_UNLESS_TOLD = {"Accept": "*/*"}
# Compressing costs an archive more than sending does, and what is compressed has no size that can be bounded.
_ALWAYS = {"Accept-Encoding": "identity", "User-Agent": "Tallyman"}
_OF_FRAMING = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers that follow from the request itself, whatever the settings of a destination say."""


class HttpAnswer:
    """An answer whose body has not been read yet; it is given by HttpSession.open, which closes it."""

    def __init__(self, response: BaseHTTPResponse, exchange: Exchange) -> None:
        self._response = response
        self._exchange = exchange
        self.status_code = response.status
        self.headers: Mapping[str, str] = response.headers
        """Names in any case."""

    @property
    def media_type(self) -> str:
        """In lower case, without its parameters; empty where the service does not say."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def says_its_length(self) -> bool:
        """Whether an end that comes too early is noticed (RFC 9112 6.3)."""
        return "Content-Length" in self.headers or "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    def chunks(self, size_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
        """The body piece by piece; it may take as long as it likes while enough of it comes.

        Raises AnswerCut where it ends before it is complete, RequestTimedOut, RequestInterrupted.
        """
        for chunk in self._pieces(size_bytes):
            self._exchange.renew()
            yield chunk

    def read(self, limit_bytes: int = LARGEST_JSON_BYTES) -> bytes:
        """The whole body. Raises AnswerTooLarge, and what `chunks` does."""
        content = bytearray()
        for chunk in self._pieces(CHUNK_BYTES):
            content += chunk
            if len(content) > limit_bytes:
                raise AnswerTooLarge
        return bytes(content)

    def json(self, limit_bytes: int = LARGEST_JSON_BYTES) -> Any:
        """The body as JSON, whatever it holds; None where the status says that there is none (204).

        Raises NotTheService where it is of another media type, MalformedAnswer where it is no JSON, and what `read`
        does.
        """
        if self.status_code == HTTPStatus.NO_CONTENT:
            return None
        self.expect(JSON_TYPES)
        content = self.read(limit_bytes)
        try:
            value = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise MalformedAnswer("The service answered something that is no JSON, or was cut.") from error
        if value is None:
            raise MalformedAnswer("The service answered with nothing.")
        return value

    def expect(self, media_types: Collection[str]) -> None:
        """Raise NotTheService where the body is of another type; one that names no type may be anything."""
        media_type = self.media_type
        if media_type in _PAGES_FOR_PEOPLE:
            raise NotTheService(
                "A page for people answers, such as a login, not the service. Check the path in the URL."
            )
        if media_type and media_type not in media_types:
            raise NotTheService(
                f"The answer is of the type {clean_text(media_type)}, not {' or '.join(sorted(media_types))}. "
                "Check the path in the URL."
            )

    def _pieces(self, size_bytes: int) -> Iterator[bytes]:
        try:
            yield from self._response.stream(size_bytes)
        except (HTTPError, HTTPException, OSError) as error:
            raise _ended(self._exchange) or fault_of_reading(error) from error
        if ended := _ended(self._exchange):
            raise ended
        self._exchange.let_go()


class HttpSession:
    """Safe for several threads. A context manager: it holds connections, and a thread that watches over them."""

    def __init__(self, endpoint: HttpEndpoint, stop: Event | None = None) -> None:
        """Raises RequestTlsFailed where a file of the TLS settings cannot be used."""
        self.endpoint = endpoint
        self._stop = stop or Event()
        self._watch = Watch(self._stop)
        self._tokens = AccessTokens(endpoint.oauth2, endpoint.tls, self._fetch_token) if endpoint.oauth2 else None
        self._authorization = authorization(endpoint, self._tokens)
        own = {name: value for name, value in endpoint.headers.items() if name.lower() not in _OF_FRAMING}
        self._headers = Headers(_UNLESS_TOLD, own, _ALWAYS)
        self._tls_options = _tls_options(endpoint)
        self._lock = Lock()
        self._pool: HTTPConnectionPool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._watch.close()
        if self._pool is not None:
            self._pool.close()

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        *,
        parameters: Parameters | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        accepted: Collection[int] = (),
        seconds: float | None = None,
        is_repeatable: bool = False,
    ) -> Iterator[HttpAnswer]:
        """Ask, and give the answer once its head has come; the body is closed with the block.

        `path` follows the endpoint's URL, percent-encoded. An answer with a status other than 2xx is an error unless
        the status is in `accepted`. `seconds` bounds the whole exchange (ten times the time to answer, unless told
        otherwise), or what follows the last piece of a body that is streamed. What `is_repeatable`, as reading always
        is, is sent again over a new connection where a kept one turns out to have been closed. Where an access token
        is refused, another one is fetched, and the request made again, once; one whose body was streamed is left to
        whoever streamed it (AccessTokenRefused).

        Raises RequestError, and what the body raises.
        """
        exchange = self._watch.begin(seconds or _PATIENCE * self.endpoint.timeouts.dimse_seconds)
        response: BaseHTTPResponse | None = None
        try:
            is_repeatable = is_repeatable or method in _SAFE_METHODS
            request = self._request(method, path, parameters, headers, watched(body, exchange))
            response = self._answered(request, exchange, is_repeatable=is_repeatable)
            if self._token_is_refused(request, response):
                response.close()
                if not isinstance(body, bytes | None):
                    raise _token_refused()
                request = self._request(method, path, parameters, headers, watched(body, exchange))
                response = self._answered(request, exchange, is_repeatable=is_repeatable)
            if response.status not in accepted:
                _check_status(response)
            yield HttpAnswer(response, exchange)
        finally:
            self._watch.finish(exchange)
            if response is not None:
                response.close()

    def get_json(self, path: str, *, parameters: Parameters | None = None, accept: str = "application/json") -> Any:
        """GET, and the answer as HttpAnswer.json gives it. Raises RequestError."""
        with self.open("GET", path, parameters=parameters, headers={"Accept": accept}) as answer:
            return answer.json()

    def post_json(
        self, path: str, value: Any, *, is_repeatable: bool = False, limit_bytes: int = LARGEST_JSON_BYTES
    ) -> Any:
        """POST a JSON value, and the answer as HttpAnswer.json gives it. Raises RequestError."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        body = json.dumps(value).encode()
        with self.open("POST", path, headers=headers, body=body, is_repeatable=is_repeatable) as answer:
            return answer.json(limit_bytes)

    def _token_is_refused(self, request: HttpRequest, response: BaseHTTPResponse) -> bool:
        """Whether another token may be what is wanted; this one is not used again."""
        if self._tokens is None or response.status != HTTPStatus.UNAUTHORIZED:
            return False
        self._tokens.forget(str(request.headers["Authorization"]).removeprefix(BEARER))
        return True

    def _fetch_token(self, credentials: ClientCredentials) -> Mapping[str, Any]:
        """As AccessTokens wants it: under the TLS settings and time-outs of the service that it is for."""
        form = {"grant_type": "client_credentials"} | ({"scope": credentials.scope} if credentials.scope else {})
        of_client = {"client_id": credentials.client_id, "client_secret": credentials.client_secret}
        try:
            try:
                return self._ask_for_token(credentials, form, is_basic=True)
            except (RequestRefused, CredentialsRefused):
                # RFC 6749 2.3.1 has every service take the former; not every service does.
                return self._ask_for_token(credentials, form | of_client, is_basic=False)
        except RequestRefused as error:  # 400: RFC 6749 5.2
            raise CredentialsRefused(f"{_TOKENLESS}. Check the client ID, its secret and its scope.") from error
        except RequestError as error:
            error.args = (f"{_TOKENLESS}: {error}",)
            raise

    def _ask_for_token(
        self, credentials: ClientCredentials, form: Mapping[str, str], *, is_basic: bool
    ) -> Mapping[str, Any]:
        endpoint = HttpEndpoint(credentials.token_url, tls=self.endpoint.tls, timeouts=self.endpoint.timeouts)
        if is_basic:
            username, password = quote_plus(credentials.client_id), quote_plus(credentials.client_secret)
            endpoint = replace(endpoint, username=username, password=password)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        path = "/" if credentials.token_url.endswith("/") else ""
        with (
            HttpSession(endpoint, self._stop) as session,
            session.open("POST", path, headers=headers, body=urlencode(form).encode(), is_repeatable=True) as answer,
        ):
            said = answer.json(_LARGEST_TOKEN_BYTES)
        return said if isinstance(said, dict) else {}

    def _request(
        self,
        method: str,
        path: str,
        parameters: Parameters | None,
        headers: Mapping[str, str] | None,
        body: Body | None,
    ) -> HttpRequest:
        try:
            url = url_of(self.endpoint.url, path, parameters)
        except ValueError as error:
            raise fault_of_request(error, self.endpoint) from error
        return HttpRequest(method, url, self._headers.with_these(headers, self._authorization(), body), body)

    def _answered(self, request: HttpRequest, exchange: Exchange, *, is_repeatable: bool) -> BaseHTTPResponse:
        """The answer, after as many redirects as may be followed: on the same origin, and only when reading."""
        for _ in range(_MOST_REDIRECTS):
            response = self._sent_again_if_stale(request, exchange, is_repeatable=is_repeatable)
            target = _redirect(response, request)
            if target is None:
                return response
            response.close()
            request.url = target
        raise RequestRefused("The service sends us around in a circle. Set the URL to where it really is.")

    def _sent_again_if_stale(
        self, request: HttpRequest, exchange: Exchange, *, is_repeatable: bool
    ) -> BaseHTTPResponse:
        """A connection that was kept may have been closed at the other end just now, which says nothing."""
        try:
            return self._sent(request, exchange)
        except AnswerCut:
            if not is_repeatable or not exchange.is_on_used_connection:
                raise
        return self._sent(request, exchange)

    def _sent(self, request: HttpRequest, exchange: Exchange) -> BaseHTTPResponse:
        if self._stop.is_set():
            raise RequestInterrupted
        exchange.is_connected = False
        try:
            with carrying(exchange):
                return self._connections(request.url).urlopen(
                    request.method,
                    request.url.request_uri,
                    body=request.body,
                    headers=request.headers,
                    retries=False,
                    redirect=False,
                    assert_same_host=False,
                    preload_content=False,
                )
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            fault = fault_of_request(error, self.endpoint, is_connected=exchange.is_connected)
            raise _ended(exchange) or fault from error

    def _connections(self, url: Url) -> HTTPConnectionPool:
        """All to the one origin."""
        with self._lock:
            if self._pool is None:
                timeouts = self.endpoint.timeouts
                self._pool = watched_pool(
                    url,
                    maxsize=max(1, self.endpoint.connections),
                    timeout=Timeout(connect=timeouts.connect_seconds, read=timeouts.dimse_seconds),
                    **self._tls_options,
                )
            return self._pool


def _token_refused() -> AccessTokenRefused:
    error = AccessTokenRefused()
    error.status_code = HTTPStatus.UNAUTHORIZED
    return error


def path_of(*segments: str) -> str:
    """A path of these segments, percent-encoded.

    Raises RequestRefused for a UID that a service might take for another path.
    """
    for segment in segments:
        if not segment.strip(".") or "/" in segment or "%" in segment:
            raise RequestRefused("A UID has characters that must not be put into a URL.")
    return "".join("/" + quote(segment, safe="") for segment in segments)


def _check_status(response: BaseHTTPResponse) -> None:
    if not 200 <= response.status < 300:
        raise fault_of_status(response.status, response.headers)
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        raise MalformedAnswer("The service answered with a part of what was asked for.")


def _tls_options(endpoint: HttpEndpoint) -> dict[str, Any]:
    if not endpoint.url.lower().startswith("https:"):
        return {}
    try:
        context: ssl.SSLContext = client_context(endpoint.tls or TlsSettings())
    except TlsFailed as error:
        raise RequestTlsFailed(str(error)) from error
    # urllib3 looks at the name itself where the context does not.
    return {"ssl_context": context} | ({} if context.check_hostname else {"assert_hostname": False})


def _redirect(response: BaseHTTPResponse, request: HttpRequest) -> Url | None:
    """Where a redirect that may be followed leads; None where the answer is no such redirect."""
    if response.status not in _REDIRECTS or request.method not in _SAFE_METHODS:
        return None
    return request.redirected(response.headers.get("Location"))


def _ended(exchange: Exchange) -> RequestError | None:
    """Why it was ended on this side, where it was."""
    if exchange.was_stopped:
        return RequestInterrupted()
    return RequestTimedOut("The service takes too long in all to answer.") if exchange.is_overdue else None
