"""The password of a destination is used, and told to nobody: no page, no answer, no log, no history, no database."""

from __future__ import annotations

import logging

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from knox.models import AuthToken
from rest_framework.test import APIClient

from project.logging import JsonFormatter
from tests.commands import run
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Asked, Reply
from tests.fakes.web_archives import always
from tests.integration.transfers.test_admin import URL
from tests.integration.transfers.test_admin_kinds import OVER_HTTP
from transfers.models import Destination

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery"
BASIC = "dGFsbHk6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"
"""What the header of a request carries: tally:correct-horse-battery."""


def everything_in_the_database() -> str:
    with connection.cursor() as cursor:
        found = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608  names of our own
            found.append(repr(cursor.fetchall()))
    return "".join(found)


def assert_is_not_in(text: str) -> None:
    assert PASSWORD not in text
    assert BASIC not in text


def test_a_password_is_told_to_the_destination_alone(
    admin_client: Client, web: MakeWeb, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []

    def answer(asked: Asked) -> Reply:
        told.append(asked.headers.get("Authorization", ""))
        return Reply(500, b"it broke")

    peer = web(answer)
    monkeypatch.setenv("SECRET_OF_PACS", PASSWORD)
    address = ["--kind", "orthanc", "--url", peer.url, "--username", "tally", "--password-env", "SECRET_OF_PACS"]
    said = [run("destination", "add", "pacs", *address).output]
    form = OVER_HTTP | {"url": peer.url, "new_password": PASSWORD}
    said += [
        answered.content.decode()
        for answered in (
            admin_client.post(f"{URL}add/", form, follow=True),
            admin_client.post(f"{URL}add/", form | {"name": "not a name"}),
        )
    ]
    destination = Destination.objects.get(name="rest")
    _, token = AuthToken.objects.create(User.objects.get())
    api = APIClient(headers={"authorization": f"Token {token}"})
    history = destination.history.first()
    assert history is not None

    for name in ("pacs", "rest"):
        said += [run("destination", verb, name).output for verb in ("show", "check")]
        said += [
            api.get(f"/api/v1/destinations/{name}/").content.decode(),
            api.post(f"/api/v1/destinations/{name}/check/").content.decode(),
        ]
    said += [run("destination", "list").output, api.get("/api/v1/destinations/").content.decode()]
    for path in (
        URL,
        f"{URL}{destination.pk}/change/",
        f"{URL}{destination.pk}/history/",
        f"{URL}{destination.pk}/history/{history.pk}/",
        "/destinations/",
    ):
        page = admin_client.get(path)
        assert page.status_code == 200
        said.append(page.content.decode())
    chosen = {"action": "test_the_connection", "_selected_action": [destination.pk]}
    said.append(admin_client.post(URL, chosen, follow=True).content.decode())
    checked = admin_client.post(f"/destinations/{destination.public_id}/check/")
    said.append(checked.content.decode())

    assert f"Basic {BASIC}" in told
    assert_is_not_in("".join(said))
    assert destination.password_encrypted not in "".join(said)
    assert_is_not_in("".join(JsonFormatter().format(record) for record in caplog.records))
    assert_is_not_in(everything_in_the_database())
    assert_is_not_in(repr(destination.endpoint))


def test_a_refused_password_is_not_repeated(web: MakeWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = web(always(Reply(401)))
    monkeypatch.setenv("SECRET_OF_PACS", PASSWORD)
    run("destination", "add", "pacs", "--kind", "dicomweb", "--url", peer.url, "--username", "tally",
        "--password-env", "SECRET_OF_PACS")  # fmt: skip

    checked = run("destination", "check", "pacs")

    assert checked.exit_code == 1
    assert_is_not_in(checked.output)
