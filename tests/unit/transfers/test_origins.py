"""Which pages may open a websocket."""

from __future__ import annotations

import pytest

from transfers.origins import is_allowed

LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]


@pytest.mark.parametrize(
    ("origin", "host", "allowed_hosts", "trusted"),
    [
        ("http://localhost:8000", "localhost:8000", LOOPBACK, []),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", LOOPBACK, []),
        ("http://[::1]:8000", "[::1]:8000", LOOPBACK, []),
        ("http://localhost", "localhost", LOOPBACK, []),
        ("HTTP://LocalHost:8000", "localhost:8000", LOOPBACK, []),
        ("https://tally.example.org", "tally.example.org", [".example.org"], []),
        ("https://tally.example.org", "tally.example.org:443", ["tally.example.org"], []),
        ("https://tally.example.org", "127.0.0.1:8000", LOOPBACK, ["https://tally.example.org"]),
        ("https://tally.example.org", "127.0.0.1:8000", LOOPBACK, ["https://*.example.org"]),
    ],
)
def test_a_page_of_this_site_may(origin: str, host: str, allowed_hosts: list[str], trusted: list[str]) -> None:
    assert is_allowed(origin, host, allowed_hosts, trusted)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://elsewhere.example", "localhost:8000"),
        ("http://localhost.elsewhere.example", "localhost:8000"),
        ("http://localhost:3000", "localhost:8000"),
        ("http://localhost", "localhost:8000"),
        ("null", "localhost:8000"),
        ("", "localhost:8000"),
        ("file://", "localhost:8000"),
        ("http://", "localhost:8000"),
        ("http://localhost:99999999", "localhost:8000"),
        ("http://[::1", "localhost:8000"),
        ("chrome-extension://localhost", "localhost:8000"),
        ("http://localhost@elsewhere.example", "localhost:8000"),
        ("http://tally.example.org", "127.0.0.1:8000"),
        ("http://localhost:3000", "127.0.0.1:8000"),
        ("http://localhost:8000", "127.0.0.1:8000"),
        ("http://localhost:8000", ""),
    ],
)
def test_any_other_page_may_not(origin: str, host: str) -> None:
    assert not is_allowed(origin, host, LOOPBACK, ["https://tally.example.org", "https://*.trusted.example"])


def test_another_host_that_this_server_may_be_called_by_is_another_site() -> None:
    assert not is_allowed("https://wiki.example.org", "tally.example.org", [".example.org"], [])
    assert not is_allowed("https://elsewhere.example", "tally.example.org", ["*"], [])


def test_a_page_that_calls_the_server_by_a_name_that_is_not_its_own_may_not() -> None:
    assert not is_allowed("http://elsewhere.example:8000", "elsewhere.example:8000", LOOPBACK, [])


def test_a_wildcard_trusts_the_domains_below_it_and_no_others() -> None:
    trusted = ["https://*.trusted.example"]

    assert is_allowed("https://a.trusted.example", "localhost", LOOPBACK, trusted)
    assert not is_allowed("https://nottrusted.example", "localhost", LOOPBACK, trusted)
    assert not is_allowed("http://a.trusted.example", "localhost", LOOPBACK, trusted)
