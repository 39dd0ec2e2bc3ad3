"""A new transfer of studies that a source holds: searched, chosen, and sent by a method that fits."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from django.test import Client

from tests.datasets import unique_uid, write_study
from tests.integration.transfers.views.reading import text_of, words_of
from tests.peers.orthanc import Orthanc
from tests.peers.process import free_port
from tests.source_entries import stored_at
from transfers.models import Batch, Destination, Source

pytestmark = pytest.mark.django_db

NEW = "/new/"
PATIENT = f"CHOOSING-{unique_uid()[-12:]}"


@pytest.fixture
def source(source_orthanc: Orthanc, db: None) -> Source:
    return Source.objects.create(name="ward", url=source_orthanc.url)


@pytest.fixture
def down(db: None) -> Source:
    return Source.objects.create(name="down", url=f"http://127.0.0.1:{free_port()}", connect_timeout_seconds=1)


@pytest.fixture
def study(source_orthanc: Orthanc, tmp_path: Path) -> str:
    """The Orthanc ID of a study that the source holds."""
    entries = stored_at(source_orthanc, write_study(tmp_path, 2, size_bytes=200, patient_id=PATIENT))
    return str(source_orthanc.rest(f"/instances/{entries[0].source_id}/study")["ID"])


@pytest.fixture
def archive(web_orthanc: Orthanc, db: None) -> Destination:
    ae_title, host, port = web_orthanc.as_modality
    return Destination.objects.create(name="archive", host=host, port=port, called_ae_title=ae_title)


def target(fragment: str) -> dict[str, str]:
    return {"hx-request": "true", "hx-target": fragment}


def test_studies_are_found_for_who_asks_alone(
    operator: Client, source: Source, study: str, archive: Destination, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    answer = operator.post(NEW, {"search": "on", "source": "ward", "patient_id": PATIENT}, headers=target("found"))

    page = text_of(answer)
    assert f'name="studies" value="{study}"' in page
    assert PATIENT in page
    assert 'name="searched_at" value="ward"' in page
    assert "<html" not in page
    assert PATIENT not in caplog.text
    assert "no-store" in answer.headers["cache-control"]


def test_without_javascript_the_page_comes_whole_with_what_was_chosen_kept(
    operator: Client, source: Source, study: str, archive: Destination
) -> None:
    said = {"search": "on", "source": "ward", "studies": [study], "destination": "archive", "patient_id": "NOBODY"}

    page = text_of(operator.post(NEW, said))

    assert "It has no such study." in page
    assert f'value="{study}" checked' in page
    assert 'value="archive" required checked' in page
    assert 'id="source-ward" name="source" value="ward" checked' in page


def test_enter_in_a_field_searches_where_nothing_is_chosen_yet(
    operator: Client, source: Source, study: str, archive: Destination
) -> None:
    answer = operator.post(NEW, {"source": "ward", "destination": "archive", "patient_id": PATIENT})

    assert answer.status_code == 200
    assert f'value="{study}"' in text_of(answer)
    assert not Batch.objects.exists()


def test_another_source_begins_with_nothing(operator: Client, source: Source, down: Source, study: str) -> None:
    said = {"search": "clear", "source": "down", "studies": [study], "patient_id": PATIENT}

    page = text_of(operator.post(NEW, said, headers=target("found")))

    assert 'name="searched_at" value="down"' in page
    assert study not in page


def test_a_source_that_does_not_answer_is_told_of(operator: Client, down: Source) -> None:
    page = words_of(operator.post(NEW, {"search": "on", "source": "down"}, headers=target("found")))

    assert "The source could not be asked" in page


def test_what_cannot_be_searched_for_is_said(operator: Client, source: Source) -> None:
    page = words_of(operator.post(NEW, {"search": "on", "source": "ward", "modality": "M*"}, headers=target("found")))

    assert "Modality Enter a valid value." in page


def test_chosen_studies_become_a_batch(operator: Client, source: Source, study: str, archive: Destination) -> None:
    said = {
        "source": "ward",
        "searched_at": "ward",
        "studies": [study],
        "destination": "archive",
        "waits_until_stable": "on",
        "method": "orthanc-modality-store",
        "orthanc-modality-store.alias": "WEB",
        "patient_id": PATIENT,
    }

    answer = operator.post(NEW, said)

    batch = Batch.objects.get()
    assert answer.headers["location"] == f"/batches/{batch.public_id}/"
    assert (batch.source, batch.studies, batch.waits_until_stable) == (source, [study], True)
    assert (batch.method, batch.options) == ("orthanc-modality-store", {"alias": "WEB"})
    assert "1 study of ward" in words_of(operator.get(answer.headers["location"]))
    assert PATIENT not in str(Batch.objects.values().get())


def test_without_a_choice_it_asks_for_one(operator: Client, source: Source, archive: Destination) -> None:
    answer = operator.post(NEW, {"source": "ward", "searched_at": "ward", "destination": "archive"})

    assert answer.status_code == 422
    assert "Search the source, and choose studies." in text_of(answer)


def test_methods_that_fit_are_shown_with_their_best_verdict_and_one_is_recommended(
    operator: Client, source: Source, archive: Destination
) -> None:
    said = {"fit": "on", "source": "ward", "destination": "archive", "verify": "none"}

    page = words_of(operator.post(NEW, said, headers=target("methods")))

    assert "Recommended: C-STORE Every instance has an answer of its own" in page
    assert "Best verdict: unverifiable. If the source asks for commitment: committed by “committed”." in page
    assert "The source knows it as WEB (WEB at 127.0.0.1:" in page
    assert "may not trust its StableStudy event" in page
    assert "STOW-RS" not in page
    assert "Skip to the content" not in page


@pytest.mark.parametrize("path", ["dicom_web_url", "url"])
def test_a_job_without_an_alias_cannot_be_taken(
    operator: Client, source: Source, source_orthanc: Orthanc, web_orthanc: Orthanc, path: str
) -> None:
    """The one destination is known by its address; the other is not known at all."""
    known, unknown = web_orthanc.dicom_web_url, f"http://127.0.0.1:{free_port()}/dicom-web"
    url = known if path == "dicom_web_url" else unknown
    Destination.objects.create(name="web", kind="dicomweb", url=url)

    page = words_of(
        operator.post(NEW, {"fit": "on", "source": "ward", "destination": "web"}, headers=target("methods"))
    )

    assert ("streamed (ChunkedTransfers)" in page) == (url == known)
    assert ("No alias of the source leads to this destination" in page) == (url == unknown)


def test_where_the_source_does_not_answer_its_jobs_cannot_be_taken(
    operator: Client, down: Source, archive: Destination
) -> None:
    said = {"fit": "on", "source": "down", "destination": "archive"}

    page = text_of(operator.post(NEW, said, headers=target("methods")))

    assert "The source could not be asked for its aliases" in page
    assert 'value="orthanc-modality-store" disabled' in page
    assert 'value="c-store" aria' in page


def test_files_have_no_jobs(operator: Client, archive: Destination) -> None:
    page = text_of(operator.post(NEW, {"fit": "on", "destination": "archive"}, headers=target("methods")))

    assert 'value="c-store-commitment"' in page
    assert "orthanc-modality-store" not in page


def test_a_link_may_choose_a_source(operator: Client, down: Source, archive: Destination) -> None:
    page = text_of(operator.get(f"{NEW}?source=down"))

    assert 'id="source-down" name="source" value="down" checked' in page
    assert "Search its studies" in page


def test_without_a_source_there_is_nothing_to_choose(operator: Client, archive: Destination) -> None:
    assert "Search its studies" not in text_of(operator.get(NEW))


def test_who_may_only_look_learns_of_no_study(viewer: Client, source: Source, study: str) -> None:
    answer = viewer.post(NEW, {"search": "on", "source": "ward"}, headers=target("found"))

    assert answer.status_code == 403
    assert study not in text_of(answer)
