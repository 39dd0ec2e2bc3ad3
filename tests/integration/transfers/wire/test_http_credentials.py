"""Whom a request comes from: a token, a client that fetches one, headers of one's own; and where secrets never show."""

from __future__ import annotations

import logging
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.certificates import CertificateAuthority
from tests.datasets import unique_uid
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Asked, Reply, Web
from tests.fakes.web_archives import always
from tests.peers.process import free_port
from transfers.endpoints import ClientCredentials, HttpEndpoint, Timeouts, TlsSettings
from transfers.errors import (
    AccessTokenRefused,
    CredentialsRefused,
    MalformedAnswer,
    NotTheService,
    RequestError,
    RequestRefused,
    RequestTlsFailed,
    ResourceNotFound,
    ServiceBusy,
    ServiceUnreachable,
)
from transfers.wire.http import HttpSession

FINE = Reply(body=b'{"a": 1}')
SECRET = "s3cret/+&\u00e9"
SOON = Timeouts(connect_seconds=2, dimse_seconds=0.5)


def giving(*tokens: str, refused: Callable[[Asked], Reply | None] = lambda _: None) -> Callable[[Asked], Reply]:
    """A service that gives these tokens, one after another, and takes the last alone."""
    waiting = list(tokens)

    def answer(asked: Asked) -> Reply:
        if asked.path == "/token":
            text = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            return refused(asked) or Reply(
                body=f'{{"access_token": "{text}", "token_type": "bearer", "expires_in": 3600}}'.encode(),
                content_type="application/json",
            )
        return FINE if asked.headers.get("Authorization") == f"Bearer {tokens[-1]}" else Reply(401)

    return answer


def endpoint_of(service: Web, token_url: str = "", **changes: str) -> HttpEndpoint:
    credentials = ClientCredentials(token_url or f"{service.url}/token", unique_uid(), SECRET, **changes)
    return HttpEndpoint(service.url, oauth2=credentials, timeouts=SOON)


def asking(endpoint: HttpEndpoint) -> object:
    with HttpSession(endpoint) as session:
        return session.get_json("/a")


def test_a_bearer_token_goes_with_every_request(web: MakeWeb) -> None:
    service = web(always(FINE))
    with HttpSession(HttpEndpoint(service.url, bearer_token="abc")) as session:
        session.get_json("/a")
        session.post_json("/b", {})

    assert [asked.headers["Authorization"] for asked in service.asked] == ["Bearer abc"] * 2


def test_headers_of_ones_own_go_with_every_request_and_change_none_of_ours(web: MakeWeb) -> None:
    service = web(always(FINE))
    own = {"X-Api-Key": "k", "User-Agent": "other", "Content-Length": "7", "transfer-encoding": "chunked"}
    with HttpSession(HttpEndpoint(service.url, headers=own)) as session:
        session.post_json("/b", {"a": 1})

    (asked,) = service.asked
    assert (asked.headers["X-Api-Key"], asked.headers["User-Agent"]) == ("k", "Tallyman")
    assert asked.body == b'{"a": 1}'
    assert "transfer-encoding" not in asked.headers


def test_a_token_is_fetched_once_for_all_that_is_asked(web: MakeWeb) -> None:
    service = web(giving("t1"))
    endpoint = endpoint_of(service, scope="dicom store")

    assert asking(endpoint) == asking(endpoint) == {"a": 1}

    assert service.paths() == ["/token", "/a", "/a"]
    form = parse_qs(service.asked[0].body.decode())
    assert form == {"grant_type": ["client_credentials"], "scope": ["dicom store"]}
    assert endpoint.oauth2 is not None
    of_client = f"{endpoint.oauth2.client_id}:s3cret%2F%2B%26%C3%A9"
    assert service.asked[0].headers["Authorization"] == "Basic " + b64encode(of_client.encode()).decode()


def test_a_service_that_wants_the_secret_in_the_form_is_given_it_there(web: MakeWeb) -> None:
    service = web(giving("t1", refused=lambda asked: Reply(401) if "Authorization" in asked.headers else None))

    assert asking(endpoint_of(service)) == {"a": 1}

    assert parse_qs(service.asked[1].body.decode())["client_secret"] == [SECRET]


def test_another_token_is_fetched_once_where_one_is_refused(web: MakeWeb) -> None:
    service = web(giving("old", "new"))

    assert asking(endpoint_of(service)) == {"a": 1}

    assert service.paths() == ["/token", "/a", "/token", "/a"]


def test_where_that_is_refused_too_the_credentials_are(web: MakeWeb) -> None:
    give = giving("old")
    service = web(lambda asked: give(asked) if asked.path == "/token" else Reply(401))

    with pytest.raises(CredentialsRefused) as caught:
        asking(endpoint_of(service))

    assert not caught.value.retriable
    assert service.paths() == ["/token", "/a", "/token", "/a"]


def test_a_streamed_body_is_not_sent_twice_but_its_sender_is_told_that_there_will_be_another_token(
    web: MakeWeb,
) -> None:
    service = web(giving("old", "new"))
    bodies: list[int] = []

    class Body:
        def __len__(self) -> int:
            return 3

        def __iter__(self) -> Iterator[bytes]:
            bodies.append(1)
            yield b"abc"

    with HttpSession(endpoint_of(service)) as session:
        with pytest.raises(AccessTokenRefused) as caught, session.open("POST", "/a", body=Body(), accepted=(401,)):
            pass
        assert caught.value.retriable
        assert len(bodies) == 1
        with session.open("POST", "/a", body=Body()) as answer:
            assert answer.json() == {"a": 1}
    assert service.asked[-1].body == b"abc"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(400), CredentialsRefused),
        (Reply(401), CredentialsRefused),
        (Reply(404), ResourceNotFound),
        (Reply(503, headers={"Retry-After": "7"}), ServiceBusy),
        (Reply(body=b"{}", content_type="application/json"), MalformedAnswer),
        (Reply(body=b"[]", content_type="application/json"), MalformedAnswer),
        (Reply(body=b"<html/>", content_type="text/html"), NotTheService),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else f"{value.status}-{value.body.decode()}",
)
def test_without_a_token_nothing_is_asked(
    web: MakeWeb, caplog: pytest.LogCaptureFixture, reply: Reply, error: type[RequestError]
) -> None:
    caplog.set_level(logging.DEBUG)
    service = web(lambda asked: reply if asked.path == "/token" else FINE)

    with pytest.raises(error) as caught:
        asking(endpoint_of(service))

    assert "access token" in str(caught.value)
    assert "/a" not in service.paths()
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "s3cret" not in told


def test_a_token_service_that_is_not_there_is_unreachable(web: MakeWeb) -> None:
    with pytest.raises(ServiceUnreachable):
        asking(endpoint_of(web(always(FINE)), f"http://127.0.0.1:{free_port()}/token"))


def test_the_token_is_fetched_under_the_same_rules_of_tls(web: MakeWeb, tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    secured = web(giving("t1"), tls=authority.server_context(authority.issue("server")))
    credentials = ClientCredentials(f"{secured.url}/token", unique_uid(), SECRET)
    trusting = TlsSettings(ca_file=str(authority.certificate))

    with pytest.raises(RequestTlsFailed):
        asking(HttpEndpoint(secured.url, oauth2=credentials, timeouts=SOON))
    assert asking(HttpEndpoint(secured.url, oauth2=credentials, tls=trusting, timeouts=SOON)) == {"a": 1}


@pytest.mark.parametrize(
    "credentials",
    [
        {"bearer_token": "s3cret\r\nX-Other: y"},
        {"headers": {"X-Api-Key": "s3cret\nX-Other: y"}},
        {"headers": {"X-Api-Key": "s3cret\u20ac"}},
        {"headers": {"X Api Key": "s3cret"}},
        {"headers": {"X-Api-Key\n": "s3cret"}},
    ],
    ids=str,
)
def test_what_no_request_can_hold_is_refused_and_not_shown(web: MakeWeb, credentials: dict[str, Any]) -> None:
    service = web(always(FINE))

    with pytest.raises(RequestRefused) as caught:
        asking(HttpEndpoint(service.url, **credentials))

    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    assert service.asked == []


def test_no_secret_is_shown_with_an_endpoint() -> None:
    credentials = ClientCredentials("http://127.0.0.1/token", "client", SECRET)
    endpoint = HttpEndpoint("http://127.0.0.1", "u", SECRET, SECRET, credentials, {"X-Api-Key": SECRET})

    assert "s3cret" not in repr(endpoint)
