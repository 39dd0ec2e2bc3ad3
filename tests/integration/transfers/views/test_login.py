"""Logging in, and what becomes of a page whose session has ended."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_a_fragment_without_a_session_fetches_the_whole_page_again(client: Client) -> None:
    answer = client.get("/transfers/", headers={"hx-request": "true", "hx-target": "transfers"}, follow=True)

    assert answer.headers["hx-refresh"] == "true"
    assert answer.content == b""


def test_a_page_without_a_session_asks_for_a_login_and_comes_back(client: Client) -> None:
    answer = client.get("/transfers/?q=brain", follow=True)

    assert answer.redirect_chain == [("/account/login/?next=/transfers/%3Fq%3Dbrain", 302)]
    assert "hx-refresh" not in answer.headers
    assert b"To see this page, log in." in answer.content


def test_who_is_logged_in_is_led_on(operator: Client) -> None:
    assert operator.get("/account/login/").headers["location"] == "/transfers/"
