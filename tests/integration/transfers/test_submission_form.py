"""What a page lets people say about how to send, to ask, to commit and to take back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from transfers.models import Destination, Source
from transfers.submission_form import SubmissionForm
from transfers.submissions import Submission

pytestmark = pytest.mark.django_db


@pytest.fixture
def said(destination: Destination, tmp_path: Path, settings: Settings) -> dict[str, Any]:
    settings.IMPORT_ROOTS = [str(tmp_path)]
    return {"destination": destination.name, "path": str(tmp_path)}


@pytest.fixture
def service(db: None) -> Destination:
    return Destination.objects.create(name="rest", kind="orthanc", url="http://127.0.0.1:1")


@pytest.fixture
def chosen(said: dict[str, Any]) -> dict[str, Any]:
    """Two studies of a source, in place of a folder."""
    Source.objects.create(name="research", url="http://127.0.0.1:1")
    studies = ["2.25.1", "0a9b3153-2512774b-2d9580de-1fc3dcf6-3bd83918"]
    return said | {"path": "", "source": "research", "searched_at": "research", "studies": studies}


def form_of(said: dict[str, Any]) -> SubmissionForm:
    return SubmissionForm(said, user=User.objects.get_or_create(username="operator")[0])


def submission_of(said: dict[str, Any]) -> Submission:
    form = form_of(said)
    assert form.is_valid(), form.errors
    return form.submission()


def test_what_is_not_said_is_left_to_the_destination(said: dict[str, Any]) -> None:
    submission = submission_of(said)

    assert (submission.method, submission.verify, submission.asks_commitment) == ("", "", None)
    assert (submission.is_inquiry, submission.rolls_back, submission.starts) == (False, False, False)


@pytest.mark.parametrize(
    ("more", "verify"),
    [
        ({"verify": "content"}, "content"),
        ({"verify": "content", "sample_percent": "15"}, "content:15%"),
        ({"verify": "content", "sample_percent": "100"}, "content"),
        ({"verify": "presence"}, "presence"),
    ],
    ids=str,
)
def test_a_sample_is_one_of_the_content(said: dict[str, Any], more: dict[str, str], verify: str) -> None:
    assert submission_of(said | more).verify == verify


def test_commitment_and_all_or_nothing_are_asked_for(
    said: dict[str, Any], destination: Destination, service: Destination
) -> None:
    destination.ask_at.add(service)

    submission = submission_of(said | {"asks_commitment": "on", "rolls_back": "on"})

    assert (submission.asks_commitment, submission.rolls_back) == (True, True)


def test_what_only_asks_starts_at_once(said: dict[str, Any], service: Destination) -> None:
    submission = submission_of(said | {"destination": service.name, "is_inquiry": "on"})

    assert (submission.is_inquiry, submission.starts, submission.options) == (True, True, {})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"sample_percent": "15"}, "sample_percent"),
        ({"verify": "presence", "sample_percent": "15"}, "sample_percent"),
        ({"verify": "content", "sample_percent": "0"}, "sample_percent"),
        ({"verify": "content", "sample_percent": "101"}, "sample_percent"),
        ({"verify": "hope"}, "verify"),
        ({"rolls_back": "on"}, "rolls_back"),
        ({"is_inquiry": "on", "rolls_back": "on"}, "rolls_back"),
        ({"is_inquiry": "on", "method": "c-store"}, "method"),
        ({"is_inquiry": "on", "send_what_can": "on"}, "send_what_can"),
        ({"is_inquiry": "on", "verify": "none"}, "verify"),
        ({"destination": "rest", "method": "c-store"}, "method"),
        ({"destination": "rest", "is_inquiry": "on", "asks_commitment": "on"}, "asks_commitment"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said_beside_its_field(
    said: dict[str, Any], service: Destination, wrong: dict[str, str], field: str
) -> None:
    form = form_of(said | wrong)

    assert list(form.errors) == [field]


def test_studies_of_a_source_are_submitted(chosen: dict[str, Any]) -> None:
    submission = submission_of(chosen | {"waits_until_stable": "on", "method": "orthanc-modality-store"})

    assert submission.source is not None
    assert (submission.source.name, list(submission.studies)) == ("research", chosen["studies"])
    assert (submission.waits_until_stable, submission.path) == (True, "")


def test_the_alias_of_a_job_is_an_option_of_its_method(chosen: dict[str, Any]) -> None:
    asked = {"method": "orthanc-modality-store", "orthanc-modality-store.alias": "north"}

    assert submission_of(chosen | asked).options == {"alias": "north"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"studies": []}, "studies"),
        ({"studies": ["../../etc"]}, "studies"),
        ({"studies": [f"2.25.{number}" for number in range(501)]}, "studies"),
        ({"searched_at": "another"}, "studies"),
        ({"source": "nowhere"}, "source"),
        ({"source": ""}, "files"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value),
)
def test_only_studies_that_the_source_was_searched_for_are_taken(
    chosen: dict[str, Any], wrong: dict[str, Any], field: str
) -> None:
    form = form_of(chosen | wrong)

    assert not form.is_valid()
    assert field in form.errors


def test_a_folder_and_studies_of_a_source_are_two_submissions(chosen: dict[str, Any], said: dict[str, Any]) -> None:
    form = form_of(chosen | {"path": said["path"]})

    assert form.errors["source"] == ["Give studies of a source or files, one of the two."]


def test_a_job_is_no_way_to_send_files(said: dict[str, Any]) -> None:
    form = form_of(said | {"method": "orthanc-modality-store"})

    assert "needs a source that sends by itself" in form.errors["method"][0]
