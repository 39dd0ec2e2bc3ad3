"""What browsers and proxies may keep."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

STATIC_FILE = "/static/admin/css/base.css"


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/transfers/", "/new/", "/account/", "/api/v1/transfers/", "/nothing-here/"])
def test_what_is_shown_to_whoever_is_logged_in_is_kept_nowhere(client: Client, address: str) -> None:
    client.force_login(User.objects.create_user("reader"))

    assert client.get(address).headers["Cache-Control"] == "no-store, private"


def test_a_static_file_may_be_kept() -> None:
    answer = Client().get(STATIC_FILE)

    b"".join(answer)  # it is closed once it is read
    assert "public" in answer.headers["Cache-Control"]
