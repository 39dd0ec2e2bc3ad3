"""Access tokens: kept while they are good, and nothing taken for one that is none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.datasets import unique_uid
from transfers.endpoints import ClientCredentials, TlsSettings
from transfers.errors import MalformedAnswer
from transfers.wire.access_tokens import AccessTokens


class Service:
    """Gives a token of another name each time."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.asked = 0

    def __call__(self, _credentials: ClientCredentials) -> Mapping[str, Any]:
        self.asked += 1
        return {"access_token": f"token-{self.asked}", "token_type": "Bearer", **self.answer}


def somebody() -> ClientCredentials:
    """A client that no other test is."""
    return ClientCredentials("http://127.0.0.1/token", unique_uid(), "secret")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the monotonic clock shows, to be set."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("expires_in", "good_for"), [(3600, 3540), ("3600", 3540), (100, 80), (None, 10**9), ("soon", 10**9)]
)
def test_a_token_is_renewed_before_it_ends(clock: list[float], expires_in: object, good_for: int) -> None:
    service = Service(expires_in=expires_in)
    tokens = AccessTokens(somebody(), None, service)

    assert tokens.get() == "token-1"
    clock[0] += good_for - 1
    assert tokens.get() == "token-1"
    clock[0] += 2 if expires_in in (3600, "3600", 100) else 0
    assert tokens.get() == ("token-2" if expires_in in (3600, "3600", 100) else "token-1")


def test_one_that_was_refused_is_not_used_again() -> None:
    tokens = AccessTokens(somebody(), None, Service())

    tokens.forget(tokens.get())

    assert tokens.get() == "token-2"


def test_one_that_was_fetched_meanwhile_is_kept() -> None:
    tokens = AccessTokens(somebody(), None, Service())
    refused = tokens.get()
    tokens.forget(refused)
    tokens.get()

    tokens.forget(refused)

    assert tokens.get() == "token-2"


def test_it_is_kept_for_whoever_asks_as_the_same_client_and_for_nobody_else() -> None:
    service, client = Service(), somebody()

    assert AccessTokens(client, None, service).get() == AccessTokens(client, None, service).get()
    assert AccessTokens(somebody(), None, service).get() == "token-2"
    assert AccessTokens(client, TlsSettings(check_hostname=False), service).get() == "token-3"


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": ""},
        {"access_token": None},
        {"access_token": ["a"]},
        {"access_token": "a\r\nX-Other: b"},
        {"access_token": "a b"},
        {"access_token": "a" * 20_000},
        {"token_type": "mac"},
        {"token_type": None},
    ],
    ids=str,
)
def test_what_is_no_bearer_token_is_not_used(answer: dict[str, object]) -> None:
    with pytest.raises(MalformedAnswer):
        AccessTokens(somebody(), None, Service(**answer)).get()
