"""Batches over HTTP: submitted once however often they are asked for, drafted, started, discarded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings
from rest_framework.test import APIClient

from audit.entries import SkippedKind
from tests.manifests import study
from transfers import services, uploads
from transfers.batch_queue import move_batch
from transfers.models import Batch, Destination, SkippedFile, Transfer, Upload
from transfers.states import BatchState, State

pytestmark = pytest.mark.django_db

BATCHES = "/api/v1/batches/"


@pytest.fixture
def asked(destination: Destination, import_root: Path) -> dict[str, Any]:
    return {"destination": destination.name, "path": str(import_root)}


def submit(api: APIClient, asked: dict[str, Any], **headers: str) -> Any:
    return api.post(BATCHES, asked, format="json", headers=headers)


def uploaded(user: User, content: bytes = b"content") -> Upload:
    upload = uploads.begin(user, "study.zip", len(content))
    uploads.append(upload, 0, [content])
    return upload


def form(**fields: Any) -> dict[str, Any]:
    return {"destination": "archive", **fields}


def a_file(content: bytes = b"content", name: str = "study.zip") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def a_service() -> Destination:
    """The same archive over HTTP, by which it deletes."""
    return Destination.objects.create(name="rest", kind="orthanc", url="http://127.0.0.1:1")


def draft_of(user: User, destination: Destination) -> Batch:
    """Read and asked about: one transfer waits for somebody to start it."""
    batch = Batch.objects.get()
    move_batch(batch, BatchState.READING)
    services.create_transfer(study(), destination=destination, method="c-store", verify="presence", batch=batch)
    Transfer.objects.update(state=State.DRAFT, findings={"present": 0, "sendable": 3})
    move_batch(batch, BatchState.ASKING)
    move_batch(batch, BatchState.DRAFT)
    return batch


# Submitting


def test_a_folder_is_accepted_and_read_later(api: APIClient, asked: dict[str, Any]) -> None:
    answer = submit(api, asked)

    batch = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == batch["url"]
    assert batch | {"state": "queued", "start": True, "method": "c-store", "verify": "presence"} == batch
    assert batch["counts"] | {"transfers": 0, "skipped": 0} == batch["counts"]
    assert api.get(batch["url"]).json() == batch


@pytest.mark.parametrize("name", ["files", "uploads"])
def test_uploads_are_submitted_by_their_ids(
    api: APIClient, operator: User, destination: Destination, name: str
) -> None:
    upload = uploaded(operator)

    batch = submit(api, {"destination": "archive", name: [str(upload.public_id)]}).json()

    upload.refresh_from_db()
    assert str(upload.batch.public_id) == batch["id"]  # type: ignore[union-attr]
    assert batch["files_uploaded"] == 1


def test_everything_that_can_be_said_is_kept(api: APIClient, asked: dict[str, Any], destination: Destination) -> None:
    more = {
        "method": "c-store",
        "options": {"associations": 2},
        "verify": "content:15%",
        "commitment": True,
        "rollback": True,
        "send": True,
        "start": False,
        "send_what_can": True,
    }
    destination.ask_at.add(a_service())

    batch = submit(api, asked | more).json()

    assert batch | more == batch


def test_what_is_only_asked_about_has_no_method(api: APIClient, asked: dict[str, Any]) -> None:
    batch = submit(api, asked | {"send": False, "commitment": True, "verify": "content"}).json()

    expected = {"send": False, "method": None, "commitment": True, "verify": "content", "start": True}
    assert batch | expected == batch


def test_an_archive_that_offers_commitment_is_asked_for_it_unless_told_not_to(
    api: APIClient, asked: dict[str, Any]
) -> None:
    Destination.objects.update(offers_commitment=True)

    by_default, without = submit(api, asked).json(), submit(api, asked | {"commitment": False}).json()

    assert (by_default["method"], by_default["commitment"]) == ("c-store-commitment", True)
    assert (without["method"], without["commitment"]) == ("c-store", False)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"send": False, "rollback": True}, "rollback"),
        ({"send": False, "method": "c-store"}, "method"),
        ({"send": False, "options": {"associations": 1}}, "options"),
        ({"send": False, "start": False}, "start"),
        ({"send": False, "send_what_can": True}, "send_what_can"),
        ({"send": False, "verify": "none"}, "verify"),
        ({"rollback": True}, "rollback"),
        ({"method": "c-store-commitment", "commitment": False}, "commitment"),
        ({"commitment": "yes"}, "commitment"),
        ({"verify": "content:0%"}, "verify"),
        ({"verify": "presence:15%"}, "verify"),
    ],
    ids=str,
)
def test_what_contradicts_itself_or_cannot_be_promised_is_refused_with_the_reason(
    api: APIClient, asked: dict[str, Any], wrong: dict[str, Any], field: str
) -> None:
    refused = submit(api, asked | wrong)

    assert (refused.status_code, list(refused.json()["errors"])) == (400, [field])
    assert not Batch.objects.exists()


def test_a_service_is_not_asked_to_commit(api: APIClient, import_root: Path) -> None:
    asked = {"destination": a_service().name, "path": str(import_root), "send": False, "commitment": True}

    assert "DICOM destinations only" in str(submit(api, asked).json()["errors"]["commitment"])


@pytest.mark.parametrize("other", [{"commitment": True}, {"commitment": False}, {"send": False}], ids=str)
def test_a_key_covers_all_that_is_asked(api: APIClient, asked: dict[str, Any], other: dict[str, Any]) -> None:
    submit(api, asked, **{"Idempotency-Key": "k1"})

    refused = submit(api, asked | other, **{"Idempotency-Key": "k1"})

    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("said", "commitment"), [({}, False), ({"commitment": "true"}, True), ({"commitment": "null"}, False)], ids=str
)
def test_a_form_says_it_in_texts(api: APIClient, asked: dict[str, Any], said: dict[str, str], commitment: bool) -> None:
    batch = api.post(BATCHES, asked | said, format="multipart").json()

    assert batch | {"commitment": commitment, "send": True, "start": True, "rollback": False} == batch


def test_a_form_may_only_ask(api: APIClient, asked: dict[str, Any]) -> None:
    batch = api.post(BATCHES, asked | {"send": "false"}, format="multipart").json()

    assert (batch["send"], batch["method"]) == (False, None)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"destination": "nowhere"}, "destination"),
        ({"destination": None}, "destination"),
        ({"method": "pigeon"}, "method"),
        ({"options": {"associations": 0}}, "options"),
        ({"options": {"associations": True}}, "options"),
        ({"options": {"associations": "2"}}, "options"),
        ({"options": {"colour": 1}}, "options"),
        ({"options": []}, "options"),
        ({"verify": "hope"}, "verify"),
        ({"start": "perhaps"}, "start"),
        ({"source": "orthanc", "studies": ["2.25.1"]}, "source"),
        ({"studies": ["2.25.1"]}, "studies"),
        ({"rollback": True}, "rollback"),
        ({"path": "/etc"}, "path"),
        ({"path": "relative"}, "path"),
        ({"path": "/a\0b"}, "path"),
        ({"files": ["7d7d0dc8-1d34-4c3c-9e0f-27a1a6a2a3ff"]}, "files"),
        ({"path": "", "uploads": ["7d7d0dc8-1d34-4c3c-9e0f-27a1a6a2a3ff"]}, "path"),
        ({"uploads": ["me"]}, "uploads.0"),
    ],
)
def test_what_cannot_be_done_is_said_field_by_field(
    api: APIClient, asked: dict[str, Any], wrong: dict[str, Any], field: str
) -> None:
    refused = submit(api, asked | wrong)

    assert refused.status_code == 400
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert field in refused.json()["errors"]
    assert not Batch.objects.exists()


def test_nothing_to_send_is_refused(api: APIClient, destination: Destination) -> None:
    refused = submit(api, {"destination": "archive"})

    assert (refused.status_code, refused.json()["code"]) == (400, "nothing_submitted")


def test_an_upload_that_is_not_complete_is_not_submitted(
    api: APIClient, operator: User, destination: Destination
) -> None:
    upload = uploads.begin(operator, "study.zip", 10)

    refused = submit(api, {"destination": "archive", "files": [str(upload.public_id)]})

    assert (refused.status_code, refused.json()["code"]) == (409, "upload_unfinished")


def test_nobody_submits_anothers_upload(other: APIClient, operator: User, destination: Destination) -> None:
    refused = submit(other, {"destination": "archive", "files": [str(uploaded(operator).public_id)]})

    assert refused.status_code == 400
    assert "files" in refused.json()["errors"]


# Idempotency


def test_the_same_request_with_the_same_key_makes_one_batch(api: APIClient, asked: dict[str, Any]) -> None:
    first, second = (submit(api, asked, **{"Idempotency-Key": "k1"}) for _ in range(2))

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    assert Batch.objects.count() == 1


def test_another_request_with_the_same_key_is_refused(api: APIClient, asked: dict[str, Any]) -> None:
    submit(api, asked, **{"Idempotency-Key": "k1"})

    refused = submit(api, asked | {"verify": "none"}, **{"Idempotency-Key": "k1"})

    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")


def test_a_key_is_its_users_own(api: APIClient, other: APIClient, asked: dict[str, Any]) -> None:
    first, second = (submit(each, asked, **{"Idempotency-Key": "k1"}) for each in (api, other))

    assert first.json()["id"] != second.json()["id"]


def test_uploads_are_submitted_once_with_the_same_key(api: APIClient, operator: User, destination: Destination) -> None:
    asked = {"destination": "archive", "files": [str(uploaded(operator).public_id)]}

    first, second = (submit(api, asked, **{"Idempotency-Key": "k1"}) for _ in range(2))

    assert (second.status_code, second.json()["id"]) == (202, first.json()["id"])


def test_a_key_that_is_too_long_is_refused(api: APIClient, asked: dict[str, Any]) -> None:
    refused = submit(api, asked, **{"Idempotency-Key": "k" * 256})

    assert list(refused.json()["errors"]) == ["Idempotency-Key"]


# Files in the request


def test_files_that_come_with_the_request_become_uploads(
    api: APIClient, operator: User, destination: Destination
) -> None:
    files = [a_file(b"one", "1.dcm"), a_file(b"two", "2.dcm"), a_file(b"", "empty")]

    answer = api.post(BATCHES, form(files=files, start="false", options='{"associations": 1}'), format="multipart")

    batch = answer.json()
    assert answer.status_code == 202, batch
    assert batch | {"start": False, "options": {"associations": 1}, "files_uploaded": 3} == batch
    kept = Upload.objects.filter(batch__public_id=batch["id"])
    assert {each.name: uploads.path_of(each).read_bytes() for each in kept} == {
        "1.dcm": b"one",
        "2.dcm": b"two",
        "empty": b"",
    }


def test_a_thousand_files_come_in_one_request(api: APIClient, destination: Destination) -> None:
    """More than a process may have open."""
    files = [a_file(b"x", f"{number}.dcm") for number in range(1_100)]

    answer = api.post(BATCHES, form(files=files), format="multipart")

    assert answer.status_code == 202
    assert answer.json()["files_uploaded"] == 1_100


def test_too_many_files_are_said_to_be(api: APIClient, destination: Destination, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2

    refused = api.post(BATCHES, form(files=[a_file() for _ in range(3)]), format="multipart")

    assert (refused.status_code, refused.json()["code"]) == (400, "too_many_files")
    assert not Upload.objects.exists()


def test_the_same_files_with_the_same_key_are_kept_once(api: APIClient, destination: Destination) -> None:
    first, second = (
        api.post(BATCHES, form(files=[a_file()]), format="multipart", headers={"Idempotency-Key": "k1"})
        for _ in range(2)
    )

    assert (second.status_code, second.json()["id"]) == (202, first.json()["id"])
    assert Upload.objects.count() == 1


@pytest.mark.parametrize("file", [a_file(b"other"), a_file(name="other.zip")], ids=["content", "name"])
def test_other_files_with_the_same_key_are_refused(
    api: APIClient, destination: Destination, file: SimpleUploadedFile
) -> None:
    api.post(BATCHES, form(files=[a_file()]), format="multipart", headers={"Idempotency-Key": "k1"})
    file.seek(0)

    refused = api.post(BATCHES, form(files=[file]), format="multipart", headers={"Idempotency-Key": "k1"})

    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert Upload.objects.count() == 1


def test_files_beyond_the_quota_leave_nothing_behind(
    api: APIClient, operator: User, destination: Destination, settings: Settings
) -> None:
    settings.UPLOAD_QUOTA_BYTES = 10

    refused = api.post(BATCHES, form(files=[a_file(b"12345678"), a_file(b"12345678")]), format="multipart")

    assert (refused.status_code, refused.json()["code"]) == (413, "quota_exceeded")
    assert uploads.used_by(operator) == 0
    assert not Batch.objects.exists()


def test_files_of_a_request_that_is_wrong_are_not_kept(api: APIClient, destination: Destination) -> None:
    refused = api.post(BATCHES, form(files=[a_file()], verify="hope"), format="multipart")

    assert list(refused.json()["errors"]) == ["verify"]
    assert not Upload.objects.exists()


def test_a_form_may_give_a_path(api: APIClient, asked: dict[str, Any]) -> None:
    assert api.post(BATCHES, asked, format="multipart").status_code == 202


# Looking


def test_batches_are_listed_the_newest_first(api: APIClient, other: APIClient, asked: dict[str, Any]) -> None:
    ids = [submit(api, asked).json()["id"] for _ in range(3)]

    page = other.get(BATCHES).json()

    assert [each["id"] for each in page["results"]] == ids[::-1]
    assert (page["next"], page["previous"]) == (None, None)


def test_what_was_left_out_is_shown_with_its_reason(api: APIClient, asked: dict[str, Any]) -> None:
    shown = submit(api, asked).json()
    batch = Batch.objects.get()
    SkippedFile.objects.bulk_create(
        SkippedFile(batch=batch, path=f"{number}.txt", kind=SkippedKind.NOT_DICOM, reason="no DICM prefix")
        for number in range(101)
    )

    first = api.get(shown["url"]).json()
    page = api.get(f"{shown['url']}skipped/", {"page_size": 500}).json()

    assert first["counts"]["skipped"] == 101
    assert first["skipped"] == page["results"][:100]
    assert page["results"][0] == {"path": "0.txt", "kind": "not-dicom", "reason": "no DICM prefix"}
    assert len(page["results"]) == 101


def test_why_nothing_could_be_made_of_it_is_shown(api: APIClient, asked: dict[str, Any]) -> None:
    shown = submit(api, asked).json()
    Batch.objects.update(state=BatchState.FAILED, error_code="no_instances", error="No instance was found.")

    assert api.get(shown["url"]).json()["error"] == {"code": "no_instances", "reason": "No instance was found."}


def test_a_draft_shows_what_was_found(
    api: APIClient, operator: User, asked: dict[str, Any], destination: Destination
) -> None:
    shown = submit(api, asked | {"start": False}).json()
    draft_of(operator, destination)

    batch = api.get(shown["url"]).json()

    assert batch["state"] == "draft"
    assert batch["counts"] | {"transfers": 1, "instances": 3, "by_state": {"draft": 1}} == batch["counts"]
    (transfer,) = batch["transfers"]
    assert transfer | {"state": "draft", "findings": {"present": 0, "sendable": 3}} == transfer


# Starting and discarding


def test_a_draft_is_started(api: APIClient, operator: User, asked: dict[str, Any], destination: Destination) -> None:
    shown = submit(api, asked | {"start": False}).json()
    draft_of(operator, destination)

    answer = api.post(f"{shown['url']}start/")

    assert (answer.status_code, answer.json()["state"]) == (200, "started")
    assert answer.json()["counts"]["by_state"] == {"queued": 1}


def test_a_draft_is_discarded(api: APIClient, operator: User, asked: dict[str, Any], destination: Destination) -> None:
    shown = submit(api, asked | {"start": False}).json()
    draft_of(operator, destination)

    answer = api.post(f"{shown['url']}discard/")

    assert (answer.status_code, answer.json()["state"]) == (200, "discarded")
    assert answer.json()["counts"]["by_state"] == {"cancelled": 1}


def test_what_is_no_draft_is_not_started(api: APIClient, asked: dict[str, Any]) -> None:
    shown = submit(api, asked).json()

    refused = api.post(f"{shown['url']}start/")

    assert (refused.status_code, refused.json()["code"]) == (409, "batch_has_moved")


def test_viewers_submit_start_and_discard_nothing(api: APIClient, viewer: APIClient, asked: dict[str, Any]) -> None:
    shown = submit(api, asked).json()

    answers = [submit(viewer, asked), viewer.post(f"{shown['url']}start/"), viewer.post(f"{shown['url']}discard/")]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert viewer.get(shown["url"]).status_code == 200


@pytest.mark.parametrize("said", ["{", "[" * 100_000, '{"a":' * 100_000], ids=["cut", "deep list", "deep object"])
def test_json_that_is_none_is_said_to_be(api: APIClient, said: str) -> None:
    refused = api.generic("POST", BATCHES, said, content_type="application/json")

    assert (refused.status_code, refused.json()["code"]) == (400, "parse_error")
    assert json.loads(refused.content)["type"] == "about:blank"


def test_a_form_that_breaks_off_in_a_file_leaves_nothing_behind(
    api: APIClient, destination: Destination, caplog: pytest.LogCaptureFixture
) -> None:
    broken = (
        b"--x\r\nContent-Disposition: form-data; name=files; filename=a\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QUJD" * 1_000 + b"Q\r\n--x--\r\n"
    )

    refused = api.post(BATCHES, broken, content_type="multipart/form-data; boundary=x")

    assert (refused.status_code, refused.json()["code"]) == (400, "parse_error")
    assert not Upload.objects.exists()
    caplog.clear()  # a line of the log holds its request, which holds what broke off; the fixture looks for that
