"""Destinations and methods over HTTP: read only, but for a connection test."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.commands import destination_for
from tests.fakes.fixtures import MakeArchive
from transfers.methods import METHODS
from transfers.models import Destination

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
        "methods": ["c-store"],
    }
    assert shown | expected == shown
    assert "secret" not in str(shown)
    assert api.get(shown["url"]).json() == shown


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


def test_a_destination_that_does_not_answer_is_no_error_of_ours(api: APIClient, destination: Destination) -> None:
    Destination.objects.update(port=1)

    answer = api.post(f"{DESTINATIONS}archive/check/")

    assert answer.status_code == 200
    assert answer.json() | {"is_ok": False, "is_reachable": False, "error_code": "connection_failed"} == answer.json()


def test_each_method_says_what_it_takes_and_what_it_proves_at_best(api: APIClient) -> None:
    page: dict[str, Any] = api.get("/api/v1/methods/").json()

    (c_store,) = page["results"]
    assert [each["key"] for each in page["results"]] == list(METHODS)
    assert c_store | {"kinds": ["dicom"], "destination_may_trust_stable_study": False} == c_store
    assert c_store["options"] == [
        {
            "name": "associations",
            "help": "how many associations side by side, in place of the destination's",
            "minimum": 1,
            "maximum": 32,
        }
    ]
    best = {(each["verify"], each["acknowledgement_means_stored"]): each for each in c_store["best"]}
    assert {key: (each["verdict"], each["proof"]) for key, each in best.items()} == {
        ("none", False): ("unverifiable", None),
        ("none", True): ("committed", "acknowledged"),
        ("presence", False): ("committed", "present"),
        ("presence", True): ("committed", "present"),
    }
