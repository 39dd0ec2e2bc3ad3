"""Destinations in the admin site."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from tests.commands import destination_for
from tests.fakes.fixtures import MakeArchive
from transfers.models import Destination, Transfer

pytestmark = pytest.mark.django_db

URL = "/admin/transfers/destination/"

FORM = {
    "name": "pacs",
    "kind": "dicom",
    "host": "127.0.0.1",
    "port": "104",
    "called_ae_title": "PACS",
    "calling_ae_title": "",
    "associations": "4",
    "tls_minimum_version": "1.2",
    "connect_timeout_seconds": "10",
    "acse_timeout_seconds": "30",
    "dimse_timeout_seconds": "60",
    "network_timeout_seconds": "60",
    "verify": "presence",
    "commitment_timeout_seconds": "3600",
    "commitment_batch_size": "1000",
    "presence_settle_seconds": "10",
    "probe_retry_seconds": "60",
}


def test_a_destination_is_added_with_its_defaults(admin_client: Client) -> None:
    answer = admin_client.post(f"{URL}add/", FORM)

    assert answer.status_code == 302
    destination = Destination.objects.get()
    assert not destination.acknowledgement_means_stored
    assert destination.dicom_endpoint.calling_ae_title == "TALLYMAN"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("called_ae_title", "A_TITLE_OF_17_CHR", "at most 16 characters"),
        ("called_ae_title", "BACK\\SLASH", "must not contain a backslash"),
        ("tls_ca_file", "/nowhere/ca.pem", "There is no file"),
        ("port", "70000", "less than or equal to 65535"),
        ("associations", "0", "greater than or equal to 1"),
    ],
)
def test_a_wrong_destination_is_refused_in_words(admin_client: Client, field: str, value: str, message: str) -> None:
    answer = admin_client.post(f"{URL}add/", FORM | {field: value})

    assert message in answer.content.decode()
    assert not Destination.objects.exists()


def test_test_connection_tells_what_the_archive_accepts(admin_client: Client, archive: MakeArchive) -> None:
    peer = archive()
    chosen = {"action": "test_the_connection", "_selected_action": [destination_for(peer).pk]}

    page = admin_client.post(URL, chosen, follow=True).content.decode()

    assert "C-ECHO answered with success" in page
    assert "CT Image Storage" in page
    assert peer.log.echoes == 1


def test_test_connection_tells_what_is_wrong(admin_client: Client, archive: MakeArchive) -> None:
    peer = archive()
    chosen = {"action": "test_the_connection", "_selected_action": [destination_for(peer).pk]}
    peer.die()

    page = admin_client.post(URL, chosen, follow=True).content.decode()

    assert "Connection refused" in page


def test_every_change_of_a_destination_is_kept_with_who_made_it(admin_client: Client) -> None:
    admin_client.post(f"{URL}add/", FORM)
    destination = Destination.objects.get()

    admin_client.post(f"{URL}{destination.pk}/change/", FORM | {"acknowledgement_means_stored": "on", "port": "105"})

    changed, added = destination.history.all()
    assert (added.port, changed.port) == (104, 105)
    assert changed.history_user.username == "admin"
    page = admin_client.get(f"{URL}{destination.pk}/history/").content.decode()
    assert "acknowledgement_means_stored" in page
    assert admin_client.get(f"{URL}{destination.pk}/history/{added.pk}/").status_code == 200


def test_a_destination_with_transfers_cannot_be_removed(admin_client: Client, create: Callable[..., Transfer]) -> None:
    destination = create().destination

    page = admin_client.post(f"{URL}{destination.pk}/delete/", {"post": "yes"}).content.decode()

    assert "Cannot delete destination" in page
    assert Destination.objects.filter(pk=destination.pk).exists()


def test_the_admin_site_asks_who_is_there(client: Client, db: None) -> None:
    assert client.get(URL).status_code == 302
