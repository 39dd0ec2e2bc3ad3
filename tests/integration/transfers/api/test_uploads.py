"""Uploads over HTTP: begun, continued part by part, one's own only."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient

from transfers import uploads
from transfers.models import Upload

pytestmark = pytest.mark.django_db

UPLOADS = "/api/v1/uploads/"


def begin(api: APIClient, size_bytes: int = 10, name: str = "study.zip") -> dict[str, Any]:
    answer = api.post(UPLOADS, {"name": name, "size_bytes": size_bytes}, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.headers["Location"] == answer.json()["url"]
    return dict(answer.json())


def send(api: APIClient, upload: dict[str, Any], offset: int | str, part: bytes, **more: str) -> Any:
    headers = {"Upload-Offset": str(offset), **more}
    return api.patch(upload["url"], part, content_type="application/octet-stream", headers=headers)


def test_a_file_is_sent_in_parts(api: APIClient) -> None:
    upload = begin(api)

    assert send(api, upload, 0, b"01234").json()["offset"] == 5
    last = send(api, upload, 5, b"56789").json()

    assert (last["offset"], last["is_complete"]) == (10, True)
    assert uploads.path_of(Upload.objects.get()).read_bytes() == b"0123456789"


def test_after_a_broken_connection_the_upload_says_where_to_go_on(api: APIClient) -> None:
    upload = begin(api)
    send(api, upload, 0, b"01234")

    refused = send(api, upload, 0, b"01234")

    assert refused.status_code == 409
    assert refused.json() | {"code": "offset_mismatch", "offset": 5} == refused.json()
    assert api.get(upload["url"]).json()["offset"] == 5


@pytest.mark.parametrize("offset", ["", "-1", "1.0", "five", "٣", "9" * 30])
def test_an_offset_that_is_no_number_is_named(api: APIClient, offset: str) -> None:
    refused = send(api, begin(api), 0, b"0", **{"Upload-Offset": offset.encode().decode("latin-1")})

    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == ["Upload-Offset"]


def test_parts_are_bytes_and_nothing_else(api: APIClient) -> None:
    upload = begin(api)

    refused = api.patch(upload["url"], {"a": 1}, format="json", headers={"Upload-Offset": "0"})

    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_media_type")


def test_more_than_was_announced_is_refused(api: APIClient) -> None:
    refused = send(api, begin(api, 3), 0, b"0123")

    assert (refused.status_code, refused.json()["code"]) == (400, "more_than_announced")


def test_a_part_of_more_than_16_mb_is_refused(api: APIClient) -> None:
    size = uploads.PART_BYTES_MAXIMUM + 1

    refused = send(api, begin(api, size), 0, bytes(size))

    assert (refused.status_code, refused.json()["code"]) == (413, "part_too_large")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"size_bytes": 1}, "name"),
        ({"name": 5, "size_bytes": 1}, "name"),
        ({"name": "x", "size_bytes": "1"}, "size_bytes"),
        ({"name": "x", "size_bytes": 1.5}, "size_bytes"),
        ({"name": "x", "size_bytes": True}, "size_bytes"),
        ({"name": "", "size_bytes": 1}, "name"),
        ({"name": "x" * 256, "size_bytes": 1}, "name"),
        ({"name": "a\0b", "size_bytes": 1}, "name"),
        ({"name": "x"}, "size_bytes"),
        ({"name": "x", "size_bytes": -1}, "size_bytes"),
        ({"name": "x", "size_bytes": 2**70}, "size_bytes"),
        ([1], "request"),
    ],
)
def test_what_cannot_be_announced_is_named(api: APIClient, asked: Any, field: str) -> None:
    refused = api.post(UPLOADS, asked, format="json")

    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == [field]


def test_more_than_the_quota_is_refused_and_the_list_shows_what_is_used(api: APIClient, settings: Settings) -> None:
    settings.UPLOAD_QUOTA_BYTES = 100
    begin(api, 60)

    refused = api.post(UPLOADS, {"name": "x", "size_bytes": 41}, format="json")

    assert (refused.status_code, refused.json()["code"]) == (413, "quota_exceeded")
    assert api.get(UPLOADS).json()["quota"] == {"used_bytes": 60, "quota_bytes": 100}


def test_uploads_are_listed_the_newest_first_page_by_page(api: APIClient) -> None:
    for name in ("first", "second", "third"):
        begin(api, name=name)

    newest = api.get(UPLOADS, {"page_size": 2}).json()
    oldest = api.get(newest["next"]).json()

    assert [each["name"] for each in newest["results"]] == ["third", "second"]
    assert [each["name"] for each in oldest["results"]] == ["first"]
    assert [each["name"] for each in api.get(oldest["previous"]).json()["results"]] == ["third", "second"]


def test_a_deleted_upload_is_gone(api: APIClient) -> None:
    upload = begin(api)

    assert api.delete(upload["url"]).status_code == 204

    assert api.get(upload["url"]).status_code == 404
    assert send(api, upload, 0, b"0").status_code == 404
    assert api.get(UPLOADS).json()["results"] == []


def test_nobody_sees_writes_or_deletes_anothers_upload(api: APIClient, other: APIClient) -> None:
    upload = begin(api)

    answers = [other.get(upload["url"]), send(other, upload, 0, b"0"), other.delete(upload["url"])]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert other.get(UPLOADS).json()["results"] == []


def test_viewers_bring_nothing(viewer: APIClient, operator: User) -> None:
    refused = viewer.post(UPLOADS, {"name": "x", "size_bytes": 1}, format="json")

    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert viewer.get(UPLOADS).status_code == 200
