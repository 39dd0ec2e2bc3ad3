"""Sources over HTTP: shown without secrets, searched without keeping anything, and their studies submitted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.datasets import unique_uid, write_study
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Asked, Reply
from tests.peers.orthanc import Orthanc
from tests.source_entries import stored_at
from transfers.methods import METHODS
from transfers.models import Batch, Destination, Source, Transfer, sources
from transfers.passwords import encrypt_password

pytestmark = pytest.mark.django_db

SOURCES = "/api/v1/sources/"
BATCHES = "/api/v1/batches/"
SECONDS = 15.0


@pytest.fixture
def source(db: None) -> Source:
    return Source.objects.create(
        name="research",
        url="https://pacs.example/orthanc",
        username="tally",
        password_encrypted=encrypt_password("hunter2"),
    )


def search(api: APIClient, **query: Any) -> Any:
    return api.post(f"{SOURCES}research/studies/", query, format="json")


def test_a_source_is_shown_without_its_secrets(api: APIClient, source: Source) -> None:
    shown = api.get(f"{SOURCES}research/").json()

    expected = {
        "name": "research",
        "kind": "orthanc",
        "service_url": "https://pacs.example/orthanc",
        "username": "tally",
        "login": "password",
        "header_names": [],
        "connections": 4,
        "methods": [key for key, method in METHODS.items() if "orthanc" in method.sources],
    }
    assert shown | expected == shown
    assert "hunter2" not in str(shown)
    assert source.password_encrypted not in str(shown)
    assert api.get(shown["url"]).json() == shown
    assert api.get(SOURCES).json()["results"] == [shown]


def test_a_source_is_tested(api: APIClient, source_orthanc: Orthanc) -> None:
    Source.objects.create(name="research", url=source_orthanc.url)

    answer = api.post(f"{SOURCES}research/check/").json()

    assert answer | {"is_ok": True, "is_reachable": True, "error_code": ""} == answer
    assert any("Orthanc 1." in line for line in answer["text"])


def test_studies_are_found_by_what_is_known_of_them(api: APIClient, source_orthanc: Orthanc, tmp_path: Path) -> None:
    Source.objects.create(name="research", url=source_orthanc.url)
    patient = unique_uid()
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    (entry, *_) = stored_at(source_orthanc, write_study(tmp_path / "one", 2, series=2, patient_id=patient))
    stored_at(source_orthanc, write_study(tmp_path / "other", 1, patient_id="SOMEBODY"))

    answer = search(api, patient_id=patient)
    nothing = search(api, patient_id=patient, modality="US").json()

    (found,) = answer.json()["results"]
    expected = {"study_instance_uid": entry.study_instance_uid, "patient_id": patient, "series": 2}
    assert found | expected == found
    assert answer.headers["Cache-Control"] == "no-store"
    assert nothing == {"results": [], "has_more": False}


def test_what_goes_beyond_the_limit_is_said(api: APIClient, source_orthanc: Orthanc, tmp_path: Path) -> None:
    Source.objects.create(name="research", url=source_orthanc.url)
    patient = unique_uid()
    for _ in range(3):
        stored_at(source_orthanc, write_study(tmp_path, 1, patient_id=patient))

    two, three = search(api, patient_id=patient, limit=2).json(), search(api, patient_id=patient, limit=3).json()

    assert (len(two["results"]), two["has_more"]) == (2, True)
    assert (len(three["results"]), three["has_more"]) == (3, False)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"patient": "X"}, "patient"),
        ({"modality": "C*"}, "modality"),
        ({"studied_from": "2026-02-01", "studied_until": "2026-01-01"}, "studied_until"),
    ],
    ids=str,
)
def test_a_search_that_is_none_is_refused(api: APIClient, source: Source, query: dict[str, Any], field: str) -> None:
    refused = search(api, **query)

    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == [field]


def test_whoever_searches_waits_for_a_silent_source_no_longer_than_people_do(
    api: APIClient, web: MakeWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "PATIENCE_SECONDS", 0.2)
    answered = Event()

    def say_nothing(_: Asked) -> Reply:
        answered.wait(SECONDS)
        return Reply()

    Source.objects.create(name="research", url=web(say_nothing).url)

    problem = search(api, patient_id="X")
    answered.set()

    assert (problem.status_code, problem.json()["code"]) == (502, "request_timed_out")


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(401), "credentials_refused"),
        (Reply(200, b"<html>", "text/html"), "not_the_service"),
        (Reply(200, b"[1", "application/json"), "malformed_answer"),
        (Reply(200, b"[" + b" " * 50, "application/json", cut_after=20), "answer_cut"),
    ],
    ids=["credentials", "page", "no JSON", "cut"],
)
def test_a_source_that_does_not_answer_is_a_problem(api: APIClient, web: MakeWeb, reply: Reply, code: str) -> None:
    Source.objects.create(name="research", url=web(lambda _: reply).url)

    failed = search(api, patient_id="SECRET")

    assert (failed.status_code, failed.json()["code"]) == (502, code)
    assert "SECRET" not in str(failed.json())


def test_a_password_under_another_key_is_a_problem(api: APIClient, source: Source) -> None:
    Source.objects.update(password_encrypted="nonsense")

    assert search(api).json()["code"] == "password_unreadable"


def test_viewers_search_no_patients(viewer: APIClient, source: Source) -> None:
    assert search(viewer).status_code == 403


# Batches


def submitted(api: APIClient, **asked: Any) -> Any:
    return api.post(BATCHES, {"destination": "archive", **asked}, format="json")


def test_studies_of_a_source_are_submitted(api: APIClient, source: Source, destination: Destination) -> None:
    answer = submitted(api, source="research", studies=["1.2.3", "1.2.4"], wait_until_stable=True)

    assert answer.status_code == 202
    expected = {"source": "research", "studies": ["1.2.3", "1.2.4"], "wait_until_stable": True, "path": ""}
    assert answer.json() | expected == answer.json()
    batch = Batch.objects.get()
    assert (batch.source, batch.waits_until_stable) == (source, True)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"source": "research"}, "studies"),
        ({"source": "nobody", "studies": ["1.2"]}, "source"),
        ({"studies": ["1.2"]}, "studies"),
        ({"path": "/import", "wait_until_stable": True}, "wait_until_stable"),
        ({"source": "research", "studies": ["1.2"], "path": "/import"}, "source"),
        ({"source": "research", "studies": ["1.2"], "method": "orthanc-stow"}, "method"),
        ({"path": "/import", "method": "orthanc-modality-store"}, "method"),
    ],
    ids=str,
)
def test_what_contradicts_itself_is_refused(
    api: APIClient, source: Source, destination: Destination, asked: dict[str, Any], field: str
) -> None:
    refused = submitted(api, **asked)

    assert refused.status_code == 400, refused.content
    assert list(refused.json()["errors"]) == [field]


def test_the_same_key_with_other_studies_is_refused(api: APIClient, source: Source, destination: Destination) -> None:
    def with_key(*studies: str) -> Any:
        asked = {"destination": "archive", "source": "research", "studies": studies}
        return api.post(BATCHES, asked, format="json", headers={"Idempotency-Key": "k"})

    first, again, other = with_key("1.2"), with_key("1.2"), with_key("1.3")

    assert first.json()["id"] == again.json()["id"]
    assert other.status_code == 422


# Growth


def test_what_came_to_the_source_since_is_shown_and_sent(
    api: APIClient, source: Source, create: Callable[..., Transfer]
) -> None:
    transfer = create()
    Transfer.objects.update(source=source, source_study_id="an-orthanc-id", source_grown_by=2)
    address = f"/api/v1/transfers/{transfer.public_id}/"

    shown = api.get(address).json()
    report = json.loads(b"".join(api.get(f"{address}report/")))
    answer = api.post(f"{address}send-new/")

    assert (shown["source"], shown["source_grown_by"]) == ("research", 2)
    assert report["transfers"][0] | {"source": "research", "source_grown_by": 2} == report["transfers"][0]
    assert answer.status_code == 202
    assert (answer.json()["source"], answer.json()["studies"]) == ("research", ["an-orthanc-id"])
    assert answer.headers["Location"] == answer.json()["url"]


def test_of_files_nothing_is_new(api: APIClient, create: Callable[..., Transfer]) -> None:
    refused = api.post(f"/api/v1/transfers/{create().public_id}/send-new/")

    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_is_new")
