"""`create_api_token`: what a program logs in with."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.commands import run

pytestmark = pytest.mark.django_db


def test_the_token_alone_is_printed_and_opens_the_api() -> None:
    User.objects.create_user("program")

    printed = run("create_api_token", "program").output

    assert printed == printed.strip() + "\n"
    answer = APIClient(headers={"authorization": f"Token {printed.strip()}"}).get("/api/v1/transfers/")
    assert answer.status_code == 200


def test_a_token_ends_with_its_account() -> None:
    user = User.objects.create_user("program")
    client = APIClient(headers={"authorization": f"Token {run('create_api_token', 'program').output.strip()}"})

    user.is_active = False
    user.save()

    assert client.get("/api/v1/transfers/").status_code == 401


def test_nobody_unknown_or_inactive_is_given_a_token() -> None:
    User.objects.create_user("gone", is_active=False)

    for name in ("nobody", "gone"):
        refused = run("create_api_token", name)
        assert (refused.exit_code, name in refused.output) == (2, True)
