"""Sources in the admin site, and the secrets of whatever is spoken to over HTTP: taken, and never shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from tests.integration.transfers.test_admin import URL as DESTINATIONS
from tests.integration.transfers.test_admin_kinds import OVER_HTTP
from tests.peers.orthanc import Orthanc
from transfers.models import Destination, Source
from transfers.passwords import decrypt_password
from transfers.peer import SECRETS, Peer

pytestmark = pytest.mark.django_db

SOURCES = "/admin/transfers/source/"
OF_SOURCE = {
    "name": "research",
    "kind": "orthanc",
    "url": "https://pacs.example/orthanc",
    "connections": "4",
    "tls_minimum_version": "1.2",
    "tls_check_hostname": "on",
    "connect_timeout_seconds": "10",
    "dimse_timeout_seconds": "60",
    "network_timeout_seconds": "60",
}
OF_DESTINATION = OVER_HTTP | {"username": ""}
OAUTH2 = {
    "oauth2_token_url": "https://login.example/token",
    "oauth2_client_id": "tally",
    "new_oauth2_client_secret": "s3same",
}
HEADERS = "X-Api-Key: k3y-of-ours\nX-Site: north"

KINDS = [(SOURCES, OF_SOURCE, Source), (DESTINATIONS, OF_DESTINATION, Destination)]
every_kind = pytest.mark.parametrize(("url", "form", "model"), KINDS, ids=["source", "destination"])


def added(browser: Client, url: str, form: dict[str, Any], model: Any, **said: Any) -> Any:
    answer = browser.post(f"{url}add/", form | said)
    assert answer.status_code == 302, answer.content.decode()
    return model.objects.get(name=form["name"])


def page_after(browser: Client, url: str, peer: Peer, said: dict[str, Any]) -> str:
    answer = browser.post(f"{url}{peer.pk}/change/", said, follow=True)
    peer.refresh_from_db()
    return answer.content.decode()


def secrets_of(peer: Peer) -> dict[str, str]:
    return {name.removesuffix("_encrypted"): decrypt_password(getattr(peer, name)) for name in SECRETS}


@every_kind
def test_every_secret_is_stored_encrypted_and_shown_nowhere(
    admin_client: Client, url: str, form: dict[str, Any], model: Any
) -> None:
    peer = added(admin_client, url, form, model, **OAUTH2, new_headers=HEADERS)

    history = peer.history.first()
    pages = [f"{url}{peer.pk}/change/", f"{url}{peer.pk}/history/", f"{url}{peer.pk}/history/{history.pk}/", url]
    shown = "".join(admin_client.get(page).content.decode() for page in pages)

    kept = secrets_of(peer)
    assert (kept["oauth2_client_secret"], kept["password"], kept["bearer_token"]) == ("s3same", "", "")
    assert json.loads(kept["headers"]) == {"X-Api-Key": "k3y-of-ours", "X-Site": "north"}
    assert "X-Api-Key, X-Site" in shown
    for secret in ("s3same", "k3y-of-ours", peer.headers_encrypted, peer.oauth2_client_secret_encrypted):
        assert secret not in shown
    assert history.history_change_reason == "The client secret was set. The headers were set."


@every_kind
def test_a_form_that_is_refused_sends_no_secret_back(
    admin_client: Client, url: str, form: dict[str, Any], model: Any
) -> None:
    said = form | {"name": "not a name", "new_bearer_token": "swordfish", "new_headers": HEADERS}

    page = admin_client.post(f"{url}add/", said).content.decode()

    assert "begins with a letter or digit" in page
    assert "swordfish" not in page
    assert "k3y-of-ours" not in page


@every_kind
def test_what_is_left_empty_stays_and_what_is_removed_is_gone(
    admin_client: Client, url: str, form: dict[str, Any], model: Any
) -> None:
    peer = added(admin_client, url, form, model, new_bearer_token="swordfish", new_headers=HEADERS)
    before = secrets_of(peer)

    page_after(admin_client, url, peer, form)
    assert secrets_of(peer) == before
    page_after(admin_client, url, peer, form | {"removes_headers": "on"})
    assert secrets_of(peer) == before | {"headers": ""}
    page_after(admin_client, url, peer, form | {"removes_bearer_token": "on", **OAUTH2})
    assert secrets_of(peer) == {"password": "", "bearer_token": "", "oauth2_client_secret": "s3same", "headers": ""}


@every_kind
@pytest.mark.parametrize(
    "refused",
    [
        ({"url": "https://elsewhere.example"}, "The URL leads elsewhere now: give the client secret"),
        ({"url": "https://elsewhere.example"}, "The URL leads elsewhere now: give the headers"),
        ({"oauth2_token_url": "https://elsewhere.example"}, "The URL leads elsewhere now: give the client secret"),
        ({"new_bearer_token": "x"}, "by one of the three"),
        ({"oauth2_client_id": ""}, "needs a token URL, a client id and a client secret"),
        ({"new_headers": "no colon"}, "Line 1 is no header"),
        ({"new_headers": "Authorization: Basic x"}, "is set by Tallyman"),
        ({"new_headers": "X-Key: \x07"}, "characters that no header may have"),
        ({"new_headers": "X-Key: 1", "removes_headers": "on"}, "one of the two"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(
    admin_client: Client, url: str, form: dict[str, Any], model: Any, refused: tuple[dict[str, str], str]
) -> None:
    said, message = refused
    peer = added(admin_client, url, form, model, **OAUTH2, new_headers=HEADERS)
    before, place = secrets_of(peer), peer.url
    stays = {key: value for key, value in OAUTH2.items() if key != "new_oauth2_client_secret"}

    page = page_after(admin_client, url, peer, form | stays | said)

    assert message in page
    assert (secrets_of(peer), peer.url) == (before, place)


def test_going_back_in_the_history_of_a_source_keeps_the_secrets_of_now(admin_client: Client) -> None:
    source = added(admin_client, SOURCES, OF_SOURCE, Source, new_bearer_token="old")
    page_after(admin_client, SOURCES, source, OF_SOURCE | {"new_bearer_token": "new", "connections": "7"})
    first = source.history.last()

    admin_client.post(f"{SOURCES}{source.pk}/history/{first.pk}/", OF_SOURCE)

    source.refresh_from_db()
    assert (source.connections, secrets_of(source)["bearer_token"]) == (4, "new")


def test_the_connection_to_a_source_is_tested(admin_client: Client, source_orthanc: Orthanc) -> None:
    source = Source.objects.create(name="research", url=source_orthanc.url)
    chosen = {"action": "test_the_connection", "_selected_action": [source.pk]}

    page = admin_client.post(SOURCES, chosen, follow=True).content.decode()

    assert "Connection to research: It calls itself Orthanc 1.10.1." in page
    assert "Connection to research: Its studies can be searched" in page
