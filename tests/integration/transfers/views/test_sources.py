"""The page of sources, and what a transfer's page says of the source that it came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.integration.transfers.views.reading import text_of, words_of
from tests.peers.orthanc import Orthanc
from tests.peers.process import free_port
from transfers import queue
from transfers.models import Batch, Destination, Source, Transfer
from transfers.passwords import encrypt_password

pytestmark = pytest.mark.django_db

HTMX = {"hx-request": "true"}
Create = Callable[..., Transfer]


@pytest.fixture
def source(db: None) -> Source:
    return Source.objects.create(
        name="ward",
        url="http://127.0.0.1:8042",
        username="tally",
        password_encrypted=encrypt_password("hunter2"),
    )


def check_url(source: Source) -> str:
    return f"/sources/{source.public_id}/check/"


def tell(transfer: Transfer, name: str, **detail: Any) -> None:
    queue.record_event(transfer, name, timezone.now(), **detail)


def test_a_card_says_where_it_is_and_how_we_get_in_but_no_password(
    viewer: Client, source: Source, create: Create
) -> None:
    Transfer.objects.filter(pk=create().pk).update(source=source)

    page = text_of(viewer.get("/sources/"))

    assert '<a href="/sources/" aria-current="page">Sources</a>' in page
    for said in (
        "http://127.0.0.1:8042",
        "user name tally and password",
        "can be read on the way",
        "<dd>1, the newest",
    ):
        assert said in page
    assert "hunter2" not in page
    assert "Test the connection" not in page


def test_without_sources_it_says_what_to_do(admin_client: Client) -> None:
    page = text_of(admin_client.get("/sources/"))

    assert "No source yet" in page
    assert "/admin/transfers/source/add/" in page


def test_the_connection_is_tested_and_its_aliases_are_matched_to_destinations(
    operator: Client, source: Source, source_orthanc: Orthanc, web_orthanc: Orthanc
) -> None:
    Source.objects.update(url=source_orthanc.url)
    Destination.objects.create(name="rest", kind="orthanc", url=web_orthanc.url)
    Destination.objects.create(
        name="store", host=web_orthanc.host, port=web_orthanc.port, called_ae_title=web_orthanc.ae_title
    )
    Destination.objects.create(name="elsewhere", kind="orthanc", url="http://127.0.0.1:1")

    answer = text_of(operator.post(check_url(source), headers=HTMX))

    assert "<html" not in answer
    assert "It answers" in answer
    assert "Its studies can be searched" in answer
    assert "It can send to rest by itself, which it knows as WEB (Orthanc peer)." in answer
    assert "It can send to store by itself, which it knows as WEB (C-STORE)." in answer
    assert "elsewhere" not in answer


def test_without_javascript_the_whole_page_says_that_it_does_not_answer(operator: Client, source: Source) -> None:
    Source.objects.update(url=f"http://127.0.0.1:{free_port()}")

    page = text_of(operator.post(check_url(source)))

    assert "<html" in page
    assert "It does not answer" in page.partition(f'id="check-{source.public_id}"')[2].partition("</section>")[0]


def test_only_who_may_send_may_test_and_only_by_a_post(operator: Client, viewer: Client, source: Source) -> None:
    assert viewer.post(check_url(source)).status_code == 403
    assert operator.get(check_url(source)).status_code == 405


def test_a_transfer_names_its_source_and_how_that_sends(operator: Client, source: Source, create: Create) -> None:
    transfer = create()
    Transfer.objects.filter(pk=transfer.pk).update(source=source, method="orthanc-stow")
    tell(transfer, "source_alias", alias="NORTH", leads_to="http://pacs:8042/dicom-web", chunked_transfers=False)
    tell(transfer, "job_started", job="a", where="source", instances=412)
    tell(transfer, "job_progress", job="a", where="source", state="Running", progress=45)

    page = words_of(operator.get(f"/transfers/{transfer.public_id}/"))

    assert "from ward to archive by STOW-RS, by the source" in page
    assert "NORTH : http://pacs:8042/dicom-web" in page
    assert "as one body of up to 2 GB" in page
    assert "Running, 45 % 412 instances, by a job of the source" in page.replace("\u00a0", " ")
    assert text_of(operator.get(f"/transfers/{transfer.public_id}/part/jobs/")).count('<progress class="bar"') == 1


def test_of_jobs_that_ended_none_goes_on(operator: Client, source: Source, create: Create) -> None:
    transfer = create()
    Transfer.objects.filter(pk=transfer.pk).update(source=source, method="orthanc-peer-store")
    for job, end in (("a", {"state": "Failure", "reason": "Connection refused"}), ("b", {"state": "Success"})):
        tell(transfer, "job_started", job=job, where="source", instances=3)
        tell(transfer, "job_ended", job=job, where="source", **end)

    fragment = text_of(operator.get(f"/transfers/{transfer.public_id}/part/jobs/"))

    assert fragment.index("Connection refused") < fragment.index("Ended in success, as it says")
    assert "<progress" not in fragment


def test_a_transfer_of_files_shows_no_jobs(operator: Client, create: Create) -> None:
    page = text_of(operator.get(f"/transfers/{create().public_id}/"))

    assert "Sent by the source" not in page


@pytest.fixture
def grown(source: Source, create: Create) -> Transfer:
    """Finished, and found to lack what came to its source since."""
    transfer = create()
    Transfer.objects.filter(pk=transfer.pk).update(
        source=source,
        source_study_id="a-study",
        source_asked_at=timezone.now(),
        source_grown_by=12,
        state="finished",
        worker="",
    )
    transfer.refresh_from_db()
    return transfer


def test_what_came_to_the_source_since_is_told_and_can_be_sent(operator: Client, grown: Transfer) -> None:
    page = words_of(operator.get(f"/transfers/{grown.public_id}/"))
    answer = operator.post(f"/transfers/{grown.public_id}/send-new/")

    assert "The source has 12 more instances since the manifest" in page
    assert "Send the 12 new ones" in page
    batch = Batch.objects.get()
    assert answer.headers["location"] == f"/batches/{batch.public_id}/"
    assert (batch.source, batch.studies, batch.method) == (grown.source, ["a-study"], "c-store")
    assert batch.created_by.username == "operator"


def test_where_nothing_is_new_nothing_is_sent_and_it_is_said(operator: Client, grown: Transfer) -> None:
    Transfer.objects.update(source_grown_by=0)

    answer = operator.post(f"/transfers/{grown.public_id}/send-new/", follow=True)

    assert "there is nothing new to send" in text_of(answer)
    assert not Batch.objects.exists()


def test_what_was_submitted_once_more_is_linked_and_not_offered_again(
    operator: Client, grown: Transfer, create: Create
) -> None:
    newer = create()
    Transfer.objects.filter(pk=newer.pk).update(source=grown.source, source_study_id="a-study")

    page = text_of(operator.get(f"/transfers/{grown.public_id}/"))

    assert f'href="/transfers/{newer.public_id}/"' in page
    assert "Send the 12" not in page


def test_who_may_only_look_is_told_and_offered_nothing(viewer: Client, grown: Transfer) -> None:
    page = text_of(viewer.get(f"/transfers/{grown.public_id}/"))

    assert "12 more instances" in page
    assert "Send the 12" not in page
    assert viewer.post(f"/transfers/{grown.public_id}/send-new/").status_code == 403


def test_the_settings_say_where_it_came_from_and_when_that_was_asked_again(operator: Client, grown: Transfer) -> None:
    Transfer.objects.update(options={"gzip": True})

    settings = words_of(operator.get(f"/transfers/{grown.public_id}/")).partition("Settings used")[2]

    assert "Source http://127.0.0.1:8042" in settings
    assert "Source asked again 12 instances more" in settings.replace("\u00a0", " ")
    assert "Option gzip yes" in settings


@pytest.mark.parametrize("grown_by", [0, None])
def test_one_that_has_not_or_could_not_be_asked_is_no_notice(
    operator: Client, source: Source, create: Create, grown_by: int | None
) -> None:
    transfer = create()
    Transfer.objects.filter(pk=transfer.pk).update(
        source=source, source_asked_at=timezone.now(), source_grown_by=grown_by
    )

    assert "The source has" not in text_of(operator.get(f"/transfers/{transfer.public_id}/"))
