"""Destinations and methods over HTTP: read only, but for a connection test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.commands import destination_for
from tests.fakes.fixtures import MakeArchive, MakeWeb
from tests.fakes.script import Script
from tests.fakes.web import Reply
from tests.fakes.web_archives import always, orthanc
from tests.manifests import entry
from transfers.methods import METHODS
from transfers.models import Destination, Transfer
from transfers.passwords import encrypt_password

pytestmark = pytest.mark.django_db

DESTINATIONS = "/api/v1/destinations/"


def test_a_destination_is_shown_without_its_secrets(api: APIClient, destination: Destination) -> None:
    Destination.objects.update(tls_enabled=True, tls_key_file="/etc/secret.pem")

    shown = api.get(f"{DESTINATIONS}archive/").json()

    expected = {
        "name": "archive",
        "kind": "dicom",
        "called_ae_title": "ARCHIVE",
        "calling_ae_title": "TALLYMAN",
        "tls": True,
        "verify": "presence",
        "methods": ["c-store", "c-store-commitment", "orthanc-modality-store"],
        "address": "127.0.0.1:104 ARCHIVE",
        "service_url": "",
        "username": "",
        "login": "none",
        "header_names": [],
        "ask_at": [],
        "offers_commitment": False,
        "commitment_timeout_seconds": 3600.0,
        "reverify_after_days": [],
        "can_roll_back": False,
    }
    assert shown | expected == shown
    assert "secret" not in str(shown)
    assert api.get(shown["url"]).json() == shown


def test_a_service_over_http_is_shown_without_its_password(api: APIClient, destination: Destination) -> None:
    service = Destination.objects.create(
        name="rest",
        kind="orthanc",
        url="https://pacs.example/orthanc",
        username="tally",
        password_encrypted=encrypt_password("hunter2"),
        verify="content:15%",
        reverify_after_days="7, 1",
    )
    destination.ask_at.add(service)

    shown = api.get(f"{DESTINATIONS}rest/").json()

    expected = {
        "kind": "orthanc",
        "address": "https://pacs.example/orthanc",
        "service_url": "https://pacs.example/orthanc",
        "username": "tally",
        "login": "password",
        "header_names": [],
        "calling_ae_title": "",
        "verify": "content:15%",
        "reverify_after_days": [1, 7],
        "methods": ["orthanc-rest", "orthanc-peer-store", "orthanc-transfers", "accelerator"],
        "can_roll_back": True,
    }
    assert shown | expected == shown
    assert "hunter2" not in str(shown)
    assert service.password_encrypted not in str(shown)
    dicom_side = api.get(f"{DESTINATIONS}archive/").json()
    assert (dicom_side["ask_at"], dicom_side["can_roll_back"]) == (["rest"], True)


@pytest.mark.parametrize(
    ("credentials", "login"),
    [
        ({"bearer_token_encrypted": "s3cret"}, "bearer-token"),
        ({"oauth2_token_url": "https://id.example/token", "oauth2_client_secret_encrypted": "s3cret"}, "oauth2"),
        ({"username": "tally"}, "password"),
        ({}, "none"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_told_how_we_log_in_and_not_with_what(api: APIClient, credentials: dict[str, str], login: str) -> None:
    headers = encrypt_password('{"X-Key": "s3cret", "X-Tenant": "4711"}')
    settings = {"url": "https://pacs.example/dicom-web", "headers_encrypted": headers, **credentials}
    Destination.objects.create(name="web", kind="dicomweb", **settings)

    shown = api.get(f"{DESTINATIONS}web/").json()

    assert (shown["login"], shown["header_names"]) == (login, ["X-Key", "X-Tenant"])
    assert "s3cret" not in str(shown)
    assert "4711" not in str(shown)


def test_destinations_are_listed(api: APIClient, destination: Destination) -> None:
    Destination.objects.create(name="b.2_c-d", host="127.0.0.1", port=104, called_ae_title="B")

    names = [each["name"] for each in api.get(DESTINATIONS).json()["results"]]

    assert names == ["b.2_c-d", "archive"]
    assert api.get(f"{DESTINATIONS}b.2_c-d/").status_code == 200


@pytest.mark.parametrize("name", ["nowhere", "a%00b", "a%20b", ".."])
def test_an_unknown_destination_is_a_problem(api: APIClient, destination: Destination, name: str) -> None:
    assert api.get(f"{DESTINATIONS}{name}/").status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_destinations_are_not_kept_here(api: APIClient, destination: Destination, method: str) -> None:
    assert getattr(api, method)(f"{DESTINATIONS}archive/").status_code == 405


def test_the_connection_to_a_destination_is_tested(api: APIClient, archive: MakeArchive) -> None:
    destination = destination_for(archive())

    found = api.post(f"{DESTINATIONS}{destination.name}/check/").json()

    assert found | {"is_ok": True, "is_reachable": True, "can_be_listed": True, "error_code": ""} == found
    assert found["text"][0].startswith("C-ECHO answered with success")


def test_every_side_of_the_archive_is_tested(api: APIClient, archive: MakeArchive, web: MakeWeb) -> None:
    destination = destination_for(archive(Script(without_sop_classes=["1.2.840.10008.1.20.1"])))
    destination.ask_at.add(
        Destination.objects.create(name="rest", kind="orthanc", url=web(orthanc([entry(1)])).url),
        Destination.objects.create(name="shut", kind="dicomweb", url=web(always(Reply(401))).url),
    )

    found = api.post(f"{DESTINATIONS}{destination.name}/check/").json()

    expected = {
        "is_ok": True,
        "all_ok": False,
        "can_be_read_back": True,
        "can_be_asked_to_commit": False,
        "tells_changes": None,
    }
    assert found | expected == found
    rest, shut = found["ask_at"]
    assert rest | {"destination": "rest", "is_ok": True, "can_be_asked_to_commit": None} == rest
    assert shut | {"destination": "shut", "is_ok": False, "error_code": "credentials_refused"} == shut
    said_of_it = [line for line in found["text"] if line.startswith("shut: ")]
    assert "Check the user name and password" in said_of_it[0]


def test_a_destination_that_does_not_answer_is_no_error_of_ours(api: APIClient, destination: Destination) -> None:
    Destination.objects.update(port=1)

    answer = api.post(f"{DESTINATIONS}archive/check/")

    assert answer.status_code == 200
    assert answer.json() | {"is_ok": False, "is_reachable": False, "error_code": "connection_failed"} == answer.json()


def test_each_method_says_what_it_takes_and_what_it_proves_at_best(api: APIClient) -> None:
    page: dict[str, Any] = api.get("/api/v1/methods/").json()

    c_store, with_commitment = page["results"][:2]
    assert [each["key"] for each in page["results"]] == list(METHODS)
    assert c_store | {"kinds": ["dicom"], "destination_may_trust_stable_study": False} == c_store
    assert (c_store["asks_commitment"], with_commitment["asks_commitment"]) == (False, True)
    assert c_store["options"] == [
        {
            "name": "associations",
            "help": "how many associations side by side, in place of the destination's",
            "takes": "whole-number",
            "minimum": 1,
            "maximum": 32,
            "choices": None,
            "longest": None,
        }
    ]
    assert best_of(c_store) == {
        ("none", False): ("unverifiable", None),
        ("none", True): ("committed", "acknowledged"),
        ("presence", False): ("committed", "present"),
        ("presence", True): ("committed", "present"),
        ("content", False): ("committed", "identical"),
        ("content", True): ("committed", "identical"),
    }
    assert best_of(with_commitment)["none", False] == ("committed", "committed")
    (accelerator,) = (each for each in page["results"] if each["key"] == "accelerator")
    assert accelerator["destination_may_trust_stable_study"] is True
    (compression,) = (each for each in accelerator["options"] if each["name"] == "compression")
    assert (compression["takes"], compression["choices"]) == ("choice", ["none", "gzip"])


def test_each_method_says_where_it_breaks_and_what_came_of_it_here(
    api: APIClient, create: Callable[..., Transfer]
) -> None:
    create()

    page: dict[str, Any] = api.get("/api/v1/methods/").json()

    c_store, with_commitment = page["results"][:2]
    assert c_store["sources"] == ["files", "orthanc"]
    assert {"The old pixels."} < {each["found"] for each in c_store["breaks"]}
    assert c_store["figures"] == [
        {
            "destination": "archive",
            "transfers": 1,
            "by_verdict": {"pending": 1},
            "timed": 0,
            "median_bytes_per_second": None,
            "median_instances_per_second": None,
            "median_seconds_to_verified": None,
        }
    ]
    assert with_commitment["figures"] == []


def test_a_job_that_may_ask_for_commitment_says_what_that_adds(viewer: APIClient) -> None:
    methods = {each["key"]: each for each in viewer.get("/api/v1/methods/").json()["results"]}

    told = {
        each["commitment"]: (each["verdict"], each["proof"])
        for each in methods["orthanc-modality-store"]["best"]
        if each["verify"] == "none" and not each["acknowledgement_means_stored"]
    }
    assert told == {False: ("unverifiable", None), True: ("committed", "committed")}
    assert {each["commitment"] for each in methods["orthanc-peer-store"]["best"]} == {False}
    assert {each["commitment"] for each in methods["c-store-commitment"]["best"]} == {True}


def best_of(method: dict[str, Any]) -> dict[tuple[str, bool], tuple[str, str | None]]:
    """Verdict and proof by how it is verified, and whether the destination's acknowledgement is trusted."""
    return {
        (each["verify"], each["acknowledgement_means_stored"]): (each["verdict"], each["proof"])
        for each in method["best"]
    }
