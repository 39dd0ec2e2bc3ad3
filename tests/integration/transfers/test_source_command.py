"""`manage.py source`, and the credentials of whatever is spoken to over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from tests.commands import run
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Asked, Reply
from tests.peers.orthanc import Orthanc
from tests.peers.process import free_port
from transfers.models import Batch, Destination, Source
from transfers.passwords import encrypt_password

pytestmark = pytest.mark.django_db

SECRETS = {"PASSWORD": "hunter2", "TOKEN": "swordfish", "CLIENT_SECRET": "s3same", "KEY": "k3y"}


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def test_a_source_is_added_listed_shown_checked_and_removed(source_orthanc: Orthanc) -> None:
    added = run("source", "add", "research", "--url", source_orthanc.url, "--connections", "2")
    assert added.exit_code == 0, added.output
    assert Source.objects.get().endpoint.connections == 2

    assert f"research  orthanc  {source_orthanc.url}" in run("source", "list").output
    assert "connections: 2" in run("source", "show", "research").output
    checked = run("source", "check", "research")
    assert checked.exit_code == 0
    assert "It calls itself Orthanc 1.10.1." in checked.output
    assert "can be searched" in checked.output
    assert run("source", "remove", "research").exit_code == 0
    assert not Source.objects.exists()


def test_a_source_that_does_not_answer_fails_its_check() -> None:
    run("source", "add", "research", "--url", f"http://127.0.0.1:{free_port()}")

    checked = run("source", "check", "research")

    assert checked.exit_code == 1
    assert "No connection to" in checked.output


def test_a_password_of_another_secret_key_fails_the_check() -> None:
    Source.objects.create(name="research", url="http://127.0.0.1:1", username="u", password_encrypted="not ours")

    checked = run("source", "check", "research")

    assert checked.exit_code == 1
    assert "another SECRET_KEY" in checked.output


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ([], "needs a URL"),
        (["--url", "http://u:p@x.example"], "in their own fields"),
        (["--url", "http://x.example", "--password-env", "PASSWORD"], "needs a user name"),
        (["--url", "http://x.example", "--username", "u", "--bearer-token-env", "TOKEN"], "one of the three"),
        (["--url", "http://x.example", "--oauth2-token-url", "http://t.example"], "OAuth2 needs"),
        (["--url", "https://x.example", "--oauth2-token-url", "http://t.example"], "needs a token URL of https"),
        (["--url", "http://x.example", "--header", "X-Key"], "NAME=VAR"),
        (["--url", "http://x.example", "--header", "X-Key=NOT_THERE"], "no environment variable NOT_THERE"),
        (["--url", "http://x.example", "--header", "Host=KEY"], "set by Tallyman"),
        (["--url", "http://x.example", "--header", "a b=KEY"], "letters, digits and hyphens"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_words(more: list[str], reason: str) -> None:
    refused = run("source", "add", "research", *more)

    assert refused.exit_code == 2
    assert reason in refused.output
    assert not Source.objects.exists()


def test_a_name_is_taken_once_and_a_source_in_use_stays(admin_user: User) -> None:
    run("source", "add", "research", "--url", "http://x.example")
    assert "already" in run("source", "add", "research", "--url", "http://x.example").output
    Batch.objects.create(
        created_by=admin_user,
        destination=Destination.objects.create(name="d", kind="orthanc", url="http://y.example"),
        source=Source.objects.get(),
        created_at="2026-01-01T00:00Z",
    )

    assert "cannot be removed" in run("source", "remove", "research").output
    assert "there are: research" in run("source", "show", "other").output


@pytest.mark.parametrize(
    ("options", "header", "value"),
    [
        (["--username", "u", "--password-env", "PASSWORD"], "Authorization", "Basic dTpodW50ZXIy"),
        (["--bearer-token-env", "TOKEN"], "Authorization", "Bearer swordfish"),
        (["--header", "X-Api-Key=KEY"], "X-Api-Key", "k3y"),
    ],
    ids=["password", "token", "header"],
)
@pytest.mark.parametrize("what", ["source", "destination"])
def test_credentials_are_carried_and_never_shown(
    web: MakeWeb, what: str, options: list[str], header: str, value: str
) -> None:
    service = web(lambda _: Reply(403))
    added = run(what, "add", "it", "--kind", "orthanc", "--url", service.url, *options)

    said = "".join(run(what, *each).output for each in (["check", "it"], ["show", "it"], ["list"]))

    assert added.exit_code == 0, added.output
    assert {asked.headers.get(header) for asked in service.asked} == {value}
    assert not [secret for secret in SECRETS.values() if secret in said]
    assert "(set)" in said or "headers: X-Api-Key" in said


def test_client_credentials_fetch_a_token(web: MakeWeb, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path == "/token":
            body = b'{"access_token": "fresh", "token_type": "Bearer", "expires_in": 60}'
            return Reply(body=body, content_type="application/json")
        return Reply(403)

    service = web(answer)
    oauth2 = ["--oauth2-token-url", f"{service.url}/token", "--oauth2-client-id", "tally"]
    oauth2 += ["--oauth2-client-secret-env", "CLIENT_SECRET", "--oauth2-scope", "read"]
    added = run("source", "add", "it", "--url", service.url, *oauth2)
    assert added.exit_code == 0, added.output

    shown = run("source", "check", "it").output + run("source", "show", "it").output

    assert service.asked[1].headers["Authorization"] == "Bearer fresh"
    assert b"scope=read" in service.asked[0].body
    assert "s3same" not in shown
    assert "oauth2_client_secret: (set)" in shown


def test_headers_that_cannot_be_read_any_more_are_not_shown() -> None:
    Source.objects.create(name="it", url="http://x.example", headers_encrypted=encrypt_password("{}") + "x")

    assert run("source", "show", "it").exit_code == 0
