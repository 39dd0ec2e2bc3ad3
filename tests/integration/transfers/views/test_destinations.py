"""The page of destinations."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from tests.commands import destination_for
from tests.fakes.fixtures import MakeArchive
from tests.integration.transfers.views.reading import text_of
from tests.peers.process import free_port
from transfers.connections import NOTHING_EXPECTED
from transfers.destination_cards import check_of
from transfers.destination_check import DestinationCheck, Side
from transfers.models import Destination, Transfer
from transfers.passwords import encrypt_password
from transfers.wire.connection_test import ConnectionReport

pytestmark = pytest.mark.django_db

HTMX = {"hx-request": "true"}


def check_url(destination: Destination) -> str:
    return f"/destinations/{destination.public_id}/check/"


def test_a_card_says_where_it_is_and_what_can_be_proved_there(operator: Client, destination: Destination) -> None:
    page = text_of(operator.get("/destinations/"))

    assert "127.0.0.1:104" in page
    assert "ARCHIVE" in page
    assert "committed by “present”" in page
    assert "else stays unverifiable" in page


def test_a_card_says_what_was_declared(operator: Client, destination: Destination) -> None:
    Destination.objects.update(
        acknowledgement_means_stored=True, same_uid_means_same_content=True, verify="none", tls_enabled=True
    )

    page = text_of(operator.get("/destinations/"))

    assert "declared to answer only after saving" in page
    assert "taken to mean the same content" in page
    assert "committed by “acknowledged”" in page
    assert "1.2 or newer" in page


def test_a_card_counts_its_transfers_and_links_to_them(operator: Client, create: Callable[..., Transfer]) -> None:
    create()
    newest = create()

    page = text_of(operator.get("/destinations/"))

    assert "<dd>2, the newest of <time" in page
    assert f"{newest.created_at:%H:%M:%S}" in page
    assert '/transfers/?destination=archive"' in page


def test_without_destinations_it_says_what_to_do(operator: Client) -> None:
    page = text_of(operator.get("/destinations/"))

    assert "No destination yet" in page
    assert "/admin/" not in page


def test_staff_are_led_to_the_admin_site(admin_client: Client, destination: Destination) -> None:
    page = text_of(admin_client.get("/destinations/"))

    assert f"/admin/transfers/destination/{destination.pk}/change/" in page
    assert "/admin/transfers/destination/add/" in page


def test_others_see_no_way_to_the_admin_site(operator: Client, destination: Destination) -> None:
    assert "/admin/" not in text_of(operator.get("/destinations/"))


def test_the_connection_is_tested_and_told_in_words(operator: Client, archive: MakeArchive) -> None:
    peer = archive()

    answer = operator.post(check_url(destination_for(peer)), headers=HTMX)

    assert "It answers" in text_of(answer)
    assert "C-ECHO answered with success" in text_of(answer)
    assert "CT Image Storage" in text_of(answer)
    assert "<html" not in text_of(answer)
    assert answer["Vary"].count("HX-Request") == 1
    assert peer.log.echoes == 1


def test_without_javascript_the_whole_page_says_it_on_the_card(operator: Client, archive: MakeArchive) -> None:
    destination_for(archive())
    tested = destination_for(archive(ae_title="OTHER"))

    page = text_of(operator.post(check_url(tested)))

    assert "<html" in page
    result = page.partition(f'id="check-{tested.public_id}"')[2]
    assert "It answers" in result.partition("</section>")[0]
    assert page.count("It answers") == 1


def test_what_does_not_answer_is_told_with_the_reason(operator: Client, archive: MakeArchive) -> None:
    peer = archive()
    destination = destination_for(peer)
    peer.die()

    answer = text_of(operator.post(check_url(destination), headers=HTMX))

    assert "It does not answer" in answer
    assert "Connection refused" in answer
    assert "What it takes" not in answer


@pytest.mark.parametrize(("verify", "tone"), [("presence", "warning"), ("none", "success")])
def test_a_destination_that_cannot_be_listed_is_warned_of_where_it_would_be_asked(
    destination: Destination, verify: str, tone: str
) -> None:
    destination.verify = verify
    report = ConnectionReport(is_reachable=True, echo_status_code=0, can_be_listed=False)
    check = DestinationCheck(Side(destination, report, NOTHING_EXPECTED), ())

    assert check_of(check, timezone.now())["tone"] == tone


def test_testing_a_connection_needs_a_post(operator: Client, destination: Destination) -> None:
    assert operator.get(check_url(destination)).status_code == 405


def test_viewers_may_look_but_not_test(viewer: Client, destination: Destination) -> None:
    assert viewer.post(check_url(destination)).status_code == 403
    page = text_of(viewer.get("/destinations/"))
    assert "ARCHIVE" in page
    assert "Test the connection" not in page


def test_an_unknown_destination_is_not_found(operator: Client) -> None:
    assert operator.post("/destinations/00000000-0000-4000-8000-000000000000/check/").status_code == 404


def test_who_is_not_logged_in_is_asked_to(client: Client, destination: Destination) -> None:
    assert client.get("/destinations/").status_code == 302
    assert client.post(check_url(destination)).status_code == 302


def test_the_card_of_a_service_says_how_it_is_asked_and_no_password(operator: Client, destination: Destination) -> None:
    Destination.objects.create(
        name="rest",
        kind="orthanc",
        url="https://pacs.example/orthanc",
        username="tally",
        password_encrypted=encrypt_password("hunter2"),
        verify="content:15%",
        reverify_after_days="1, 30",
    )

    page = text_of(operator.get("/destinations/"))

    card = page.partition('id="destination-rest"')[2].partition("</section>")[0]
    for said in (
        "https://pacs.example/orthanc",
        "1.2 or newer",
        "Orthanc’s REST API",
        "15 % of them are read back",
        "1, 30 days after",
    ):
        assert said in card
    assert "hunter2" not in page
    assert "gAAAA" not in page


def test_a_card_names_the_other_sides_of_the_archive_and_what_it_commits_to(
    operator: Client, destination: Destination
) -> None:
    destination.ask_at.add(
        Destination.objects.create(name="web", kind="dicomweb", url="http://127.0.0.1:8042/dicom-web")
    )
    Destination.objects.filter(pk=destination.pk).update(offers_commitment=True)

    page = text_of(operator.get("/destinations/"))

    assert "C-FIND, else QIDO-RS" in page
    assert "asked for, 1,000 instances at a time; a report may take 1\u00a0h" in page
    assert "C-STORE and storage commitment" not in page
    assert "what is asked can be read on the way" in page


def test_a_side_that_does_not_answer_is_warned_of(operator: Client, archive: MakeArchive) -> None:
    destination = destination_for(archive())
    gone = Destination.objects.create(name="web", kind="dicomweb", url=f"http://127.0.0.1:{free_port()}")
    destination.ask_at.add(gone)

    answer = text_of(operator.post(check_url(destination), headers=HTMX))

    assert "It answers, but not by web, where it is asked too" in answer
    assert "C-ECHO answered with success" in answer


@pytest.mark.parametrize("name", ["north.pacs", "main"])
def test_any_name_can_be_shown_and_tested(operator: Client, destination: Destination, name: str) -> None:
    Destination.objects.update(name=name)

    page = text_of(operator.get("/destinations/"))

    assert f'id="destination-{name}"' in page
    assert f'hx-target="#check-{destination.public_id}"' in page
