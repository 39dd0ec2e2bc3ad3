"""The page of one's own account."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from knox.models import AuthToken

from tests.integration.transfers.views.reading import text_of, words_of

pytestmark = pytest.mark.django_db

ACCOUNT = "/account/"
CREATE, DELETE = f"{ACCOUNT}tokens/", f"{ACCOUNT}tokens/delete/"


def new_token_in(page: str) -> str:
    (token,) = re.findall(r'data-copy="(\w{64})"', page)
    return str(token)


def test_it_says_who_one_is_and_what_one_may_do(operator: Client, viewer: Client) -> None:
    assert "operator May look at everything, and send" in words_of(operator.get(ACCOUNT))
    assert "viewer May look at everything, and change nothing" in words_of(viewer.get(ACCOUNT))


def test_a_new_token_opens_the_api_and_is_shown_once(operator: Client) -> None:
    answer = operator.post(CREATE)
    token = new_token_in(text_of(answer))

    assert "no-store" in answer["Cache-Control"]
    assert Client().get("/api/v1/transfers/", headers={"authorization": f"Token {token}"}).status_code == 200
    assert token not in text_of(operator.get(ACCOUNT))
    assert f"{AuthToken.objects.get().token_key}…" in text_of(operator.get(ACCOUNT))


def test_a_deleted_token_opens_nothing(operator: Client) -> None:
    token = new_token_in(text_of(operator.post(CREATE)))

    page = operator.post(DELETE, {"token": AuthToken.objects.get().token_key}, follow=True)

    assert "There is none" in words_of(page)
    assert Client().get("/api/v1/transfers/", headers={"authorization": f"Token {token}"}).status_code == 401


def test_nobody_sees_or_deletes_the_tokens_of_others(operator: Client) -> None:
    theirs, _ = AuthToken.objects.create(User.objects.create_user("somebody"))

    operator.post(DELETE, {"token": theirs.token_key})

    assert theirs.token_key not in text_of(operator.get(ACCOUNT))
    assert AuthToken.objects.filter(pk=theirs.pk).exists()


def test_a_token_of_a_viewer_opens_no_more_than_the_viewer_may(viewer: Client) -> None:
    token = new_token_in(text_of(viewer.post(CREATE)))
    headers = {"authorization": f"Token {token}"}

    assert Client().get("/api/v1/transfers/", headers=headers).status_code == 200
    assert Client().post("/api/v1/batches/", {}, "application/json", headers=headers).status_code == 403


@pytest.mark.parametrize("url", [CREATE, DELETE])
def test_changes_need_a_post(operator: Client, url: str) -> None:
    assert operator.get(url).status_code == 405


@pytest.mark.parametrize("data", [{}, {"token": ""}, {"token": "nothing"}])
def test_deleting_what_is_not_there_is_no_error(operator: Client, data: dict[str, str]) -> None:
    assert operator.post(DELETE, data)["Location"] == ACCOUNT


@pytest.mark.parametrize("url", [ACCOUNT, CREATE, DELETE])
def test_who_is_not_logged_in_is_asked_to(client: Client, db: None, url: str) -> None:
    assert client.post(url)["Location"].startswith("/account/login/")


def test_the_menu_leads_to_it(operator: Client) -> None:
    assert 'href="/account/"' in text_of(operator.get("/transfers/"))
