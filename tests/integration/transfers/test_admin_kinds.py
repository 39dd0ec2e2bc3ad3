"""Destinations of every kind in the admin site: what is spoken over HTTP, and what commits."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.fakes.fixtures import MakeArchive, MakeWeb
from tests.fakes.web import Reply
from tests.fakes.web_archives import always, orthanc
from tests.integration.transfers.test_admin import FORM, URL
from tests.manifests import entry
from transfers.models import Destination
from transfers.passwords import decrypt_password

pytestmark = pytest.mark.django_db

OVER_HTTP = FORM | {
    "name": "rest",
    "kind": "orthanc",
    "host": "",
    "port": "",
    "called_ae_title": "",
    "url": "https://pacs.example/orthanc",
    "username": "tally",
}


def added(browser: Client, **said: Any) -> Destination:
    answer = browser.post(f"{URL}add/", OVER_HTTP | said)
    assert answer.status_code == 302, answer.content.decode()
    return Destination.objects.get(name=said.get("name", "rest"))


def changed(browser: Client, destination: Destination, **said: Any) -> Any:
    answer = browser.post(f"{URL}{destination.pk}/change/", OVER_HTTP | said)
    destination.refresh_from_db()
    return answer


def password_of(destination: Destination) -> str:
    return decrypt_password(destination.password_encrypted)


def test_a_service_over_http_is_added_with_its_password_encrypted(admin_client: Client) -> None:
    destination = added(admin_client, new_password=" hunter2 ", verify="content:15%", reverify_after_days="1, 7")

    assert destination.url == "https://pacs.example/orthanc"
    assert (destination.verify, destination.days_until_reverification) == ("content:15%", (1, 7))
    assert password_of(destination) == " hunter2 "
    assert "hunter2" not in destination.password_encrypted


def test_a_dicomweb_service_needs_no_login(admin_client: Client) -> None:
    destination = added(admin_client, kind="dicomweb", username="")

    assert (destination.kind, destination.password_encrypted) == ("dicomweb", "")


def test_a_password_that_is_left_empty_stays(admin_client: Client) -> None:
    destination = added(admin_client, new_password="hunter2")

    changed(admin_client, destination, verify="content")

    assert (destination.verify, password_of(destination)) == ("content", "hunter2")


def test_a_password_is_changed_and_removed(admin_client: Client) -> None:
    destination = added(admin_client, new_password="hunter2")

    changed(admin_client, destination, new_password="swordfish")
    assert password_of(destination) == "swordfish"
    changed(admin_client, destination, removes_password="on")
    assert destination.password_encrypted == ""

    reasons = list(destination.history.values_list("history_change_reason", flat=True))
    assert reasons == ["The password was removed.", "The password was set.", "The password was set."]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"new_password": "x", "removes_password": "on"}, "one of the two"),
        ({"url": "https://elsewhere.example/orthanc"}, "The URL leads elsewhere now"),
        ({"url": "http://pacs.example/orthanc"}, "The URL leads elsewhere now"),
        ({"username": ""}, "A password needs a user name"),
        ({"url": ""}, "needs a URL"),
        ({"url": "https://me:secret@pacs.example/orthanc"}, "in their own fields"),
        ({"offers_commitment": "on"}, "of DICOM destinations only"),
        ({"verify": "hope"}, "is no way to verify"),
        ({"reverify_after_days": "soon"}, "whole numbers"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused_in_words(
    admin_client: Client, said: dict[str, str], message: str
) -> None:
    destination = added(admin_client, new_password="hunter2")

    page = changed(admin_client, destination, **said).content.decode()

    assert message in page
    assert (destination.url, password_of(destination)) == ("https://pacs.example/orthanc", "hunter2")


def test_within_the_same_place_the_url_may_change(admin_client: Client) -> None:
    destination = added(admin_client, new_password="hunter2")

    changed(admin_client, destination, url="https://PACS.example/other")

    assert (destination.url, password_of(destination)) == ("https://PACS.example/other", "hunter2")


def test_a_dicom_destination_has_no_user_name(admin_client: Client) -> None:
    page = admin_client.post(f"{URL}add/", FORM | {"username": "tally", "new_password": "hunter2"}).content.decode()

    assert "spoken to over HTTP" in page
    assert not Destination.objects.exists()


def test_nothing_is_asked_at_itself(admin_client: Client) -> None:
    destination, other = added(admin_client), added(admin_client, name="other")

    page = changed(admin_client, destination, ask_at=[destination.pk]).content.decode()
    assert "asked at itself already" in page
    changed(admin_client, destination, ask_at=[other.pk])

    assert list(destination.ask_at.all()) == [other]


def test_the_sides_of_an_archive_are_in_its_history(admin_client: Client) -> None:
    destination, other = added(admin_client), added(admin_client, name="other")
    changed(admin_client, destination, ask_at=[other.pk])
    other.delete()

    page = admin_client.get(f"{URL}{destination.pk}/history/")

    assert page.status_code == 200
    assert "ask_at" in page.content.decode()
    for change in destination.history.all():
        assert admin_client.get(f"{URL}{destination.pk}/history/{change.pk}/").status_code == 200


def test_the_settings_of_commitment_are_kept(admin_client: Client) -> None:
    said = {"offers_commitment": "on", "commitment_timeout_seconds": "60", "commitment_batch_size": "500"}

    admin_client.post(f"{URL}add/", FORM | said)

    destination = Destination.objects.get()
    assert destination.offers_commitment
    assert (destination.commitment_timeout_seconds, destination.commitment_batch_size) == (60, 500)


def test_going_back_to_an_earlier_version_keeps_the_password_of_now(admin_client: Client) -> None:
    destination = added(admin_client, new_password="hunter2")
    changed(admin_client, destination, new_password="swordfish", verify="content")
    first = destination.history.last()
    assert first is not None

    admin_client.post(f"{URL}{destination.pk}/history/{first.pk}/", OVER_HTTP)

    destination.refresh_from_db()
    assert (destination.verify, password_of(destination)) == ("presence", "swordfish")


def test_going_back_to_another_place_takes_no_password_there(admin_client: Client) -> None:
    destination = added(admin_client, url="https://old.example", new_password="hunter2")
    changed(admin_client, destination, new_password="swordfish")
    first = destination.history.last()
    assert first is not None

    page = admin_client.post(f"{URL}{destination.pk}/history/{first.pk}/", OVER_HTTP | {"url": first.url})

    destination.refresh_from_db()
    assert "The URL leads elsewhere now" in page.content.decode()
    assert destination.url == "https://pacs.example/orthanc"


def test_the_form_says_which_fields_belong_to_which_kind(admin_client: Client) -> None:
    page = admin_client.get(f"{URL}add/").content.decode()

    for said in (
        "Of a DICOM archive",
        "Of a DICOMweb service or an Orthanc",
        "none, presence, content, or content:15%",
    ):
        assert said in page


def test_the_connection_to_every_side_is_tested(admin_client: Client, archive: MakeArchive, web: MakeWeb) -> None:
    peer = archive()
    side = Destination.objects.create(name="rest", kind="orthanc", url=web(orthanc([entry(1)])).url)
    shut = Destination.objects.create(name="shut", kind="dicomweb", url=web(always(Reply(401))).url)
    destination = Destination.objects.create(name="pacs", host=peer.host, port=peer.port, called_ae_title=peer.ae_title)
    destination.ask_at.add(side)
    chosen = {"action": "test_the_connection", "_selected_action": [destination.pk, shut.pk]}

    page = admin_client.post(URL, chosen, follow=True).content.decode()

    assert "Connection to pacs: C-ECHO answered with success" in page
    assert "Connection to pacs: rest: It calls itself Orthanc 1.10.1." in page
    shut_out = next(line for line in page.splitlines() if "Connection to shut:" in line)
    assert "Check the user name and password" in shut_out
