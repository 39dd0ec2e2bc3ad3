"""What a page lets people say about how to send, to ask, to commit and to take back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from transfers.models import Destination
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
