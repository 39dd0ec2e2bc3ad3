"""Who may do what over HTTP, and how every error is said."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle

from transfers.api.uploads import PartThrottle
from transfers.models import Destination

pytestmark = pytest.mark.django_db

API = "/api/v1/"
ANY = "00000000-0000-4000-8000-000000000000"
"""The same in every process that collects the tests."""

LISTS = ["destinations/", "sources/", "methods/", "batches/", "uploads/", "transfers/"]
READABLE = [
    *LISTS,
    "destinations/archive/",
    "sources/research/",
    *[f"{noun}/{ANY}/" for noun in ("batches", "uploads", "transfers")],
    *[f"transfers/{ANY}/{part}/" for part in ("instances", "events", "report", "receipt")],
    f"batches/{ANY}/skipped/",
    "schema/",
]
CHANGING = [
    "batches/",
    "uploads/",
    "destinations/archive/check/",
    *[f"sources/research/{intent}/" for intent in ("check", "studies")],
    *[f"batches/{ANY}/{intent}/" for intent in ("start", "discard")],
    *[f"transfers/{ANY}/{intent}/" for intent in ("cancel", "retry", "verify", "send-new")],
]


def problem_of(answer: Any, status_code: int) -> dict[str, Any]:
    """The problem, which has all its members whatever went wrong."""
    assert answer.status_code == status_code, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = dict(answer.json())
    assert problem.keys() >= {"type", "title", "status", "code", "detail"}
    assert problem["status"] == status_code
    return problem


@pytest.mark.parametrize("address", READABLE)
def test_nobody_reads_anything(nobody: APIClient, address: str) -> None:
    answer = nobody.get(API + address)

    assert problem_of(answer, 401)["code"] == "not_authenticated"
    assert answer.headers["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("address", CHANGING)
def test_nobody_changes_anything(nobody: APIClient, address: str) -> None:
    problem_of(nobody.post(API + address), 401)


@pytest.mark.parametrize("address", CHANGING)
def test_viewers_change_nothing(viewer: APIClient, address: str) -> None:
    assert problem_of(viewer.post(API + address), 403)["code"] == "permission_denied"


@pytest.mark.parametrize("address", LISTS)
def test_viewers_read_every_list(viewer: APIClient, address: str) -> None:
    assert viewer.get(API + address).json().keys() >= {"next", "previous", "results"}


@pytest.mark.parametrize("header", ["Token", "Token a b", "Token 0", "Token \xff\xfe", "Token \u0000", "Basic YTph"])
def test_a_token_that_is_none_opens_nothing(nobody: APIClient, header: str) -> None:
    problem_of(nobody.get(API + "transfers/", headers={"authorization": header}), 401)


def test_a_session_opens_the_api_and_needs_the_csrf_token_to_change(operator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)

    assert client.get(API + "uploads/").status_code == 200
    refused = client.post(API + "uploads/", {"name": "x", "size_bytes": 1}, content_type="application/json")

    assert "CSRF" in problem_of(refused, 403)["detail"]
    client.cookies["csrftoken"] = token = "t" * 32
    taken = client.post(
        API + "uploads/",
        {"name": "x", "size_bytes": 1},
        content_type="application/json",
        headers={"X-CSRFToken": token},
    )
    assert taken.status_code == 201


# Errors


@pytest.mark.parametrize(
    "address", ["unknown/", "transfers/unknown/", f"transfers/{ANY}/rollback/", f"transfers/{ANY}/", "transfers"]
)
def test_an_unknown_address_is_a_problem_too(api: APIClient, address: str) -> None:
    assert problem_of(api.get(API + address), 404)["code"] == "not_found"
    problem_of(api.post("/api/unknown/"), 404)


def test_another_method_is_refused_with_those_that_there_are(api: APIClient) -> None:
    refused = api.delete(API + "transfers/")

    assert problem_of(refused, 405)["code"] == "method_not_allowed"
    assert refused.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_another_media_type_is_refused(api: APIClient) -> None:
    problem_of(api.post(API + "batches/", "destination: archive", content_type="text/yaml"), 415)


def test_an_answer_in_another_media_type_is_refused(api: APIClient) -> None:
    problem_of(api.get(API + "transfers/", headers={"accept": "text/html"}), 406)


def test_an_error_of_ours_tells_nothing_of_our_insides(
    api: APIClient, destination: Destination, caplog: pytest.LogCaptureFixture
) -> None:
    Destination.objects.update(calling_ae_title="PIGEON\\")

    refused = api.get(API + "destinations/archive/")

    problem = problem_of(refused, 500)
    assert problem["code"] == "our_error"
    assert "PIGEON" not in str(problem)
    (logged,) = (record for record in caplog.records if record.__dict__.get("action") == "api_failed")
    assert logged.exc_info


# Throttles


def slowed(throttle: type[Any], monkeypatch: pytest.MonkeyPatch, rate: str = "2/min") -> None:
    monkeypatch.setattr(throttle, "THROTTLE_RATES", {throttle.scope: rate})


def test_an_account_is_throttled(api: APIClient, other: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    slowed(UserRateThrottle, monkeypatch)

    answers = [api.get(API + "methods/") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert problem_of(answers[-1], 429)["code"] == "throttled"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 61
    assert other.get(API + "methods/").status_code == 200


def test_nobody_is_throttled_wherever_they_say_they_come_from(
    nobody: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowed(AnonRateThrottle, monkeypatch)

    answers = [
        nobody.get(API + "methods/", headers={"x-forwarded-for": f"10.0.0.{number}", "authorization": "Token no"})
        for number in range(3)
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 429]


def test_parts_of_uploads_do_not_use_up_what_else_may_be_asked(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"user": "2/min", PartThrottle.scope: "6/min"})
    upload = api.post(API + "uploads/", {"name": "x", "size_bytes": 9}, format="json").json()

    parts = [
        api.patch(
            upload["url"], b"x", content_type="application/octet-stream", headers={"Upload-Offset": str(number)}
        ).status_code
        for number in range(7)
    ]

    assert parts == [200] * 6 + [429]
    assert api.get(API + "methods/").status_code == 200
