"""The API keeps what its schema promises, whatever it is sent: Schemathesis makes the requests up."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck
from hypothesis import settings as bounded
from knox.models import AuthToken
from pytest_django import Settings
from rest_framework.throttling import SimpleRateThrottle
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    missing_required_header,
    negative_data_rejection,
    positive_data_acceptance,
)

from audit.ledger import Ledger
from audit.observations import EvidenceKind, Observation
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Reply
from tests.manifests import study
from transfers import services, uploads
from transfers.models import Batch, Destination, SkippedFile, Source, Transfer
from transfers.states import BatchState, State

UNCLOSED = "unclosed file"
"""Werkzeug's client, which makes the requests, writes a large form into a temporary file that it does not close."""

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings(f"ignore:{UNCLOSED}:ResourceWarning")]


@pytest.fixture(scope="module", autouse=True)
def garbage() -> Iterator[None]:
    """Collected here, so that no later test is blamed for it."""
    yield
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", UNCLOSED, ResourceWarning)
        gc.collect()


generated = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
schema = schemathesis.openapi.from_dict(generated)
schema.app = get_wsgi_application()

few_examples = bounded(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
)

MAY_REFUSE = {
    ("POST", "/api/v1/batches/"),
    ("POST", "/api/v1/sources/{name}/studies/"),
    ("POST", "/api/v1/transfers/{id}/verify/"),
    ("POST", "/api/v1/uploads/"),
}
"""What the schema allows there is refused all the same: a destination that there is not, a file beyond the quota."""


@pytest.fixture
def operator(db: None, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> User:
    """One who may ask as often as they like."""
    settings.UPLOAD_DIR, settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads", str(tmp_path)
    settings.IMPORT_ROOTS = [str(tmp_path)]
    monkeypatch.setattr(SimpleRateThrottle, "allow_request", lambda *_: True)
    for signal in (request_started, request_finished):  # every request is part of the test's transaction
        monkeypatch.setattr(signal, "receivers", [])
        signal.sender_receivers_cache.clear()
    return User.objects.create_user("operator")


@pytest.fixture
def headers(operator: User) -> dict[str, str]:
    _, token = AuthToken.objects.create(operator)
    return {"Authorization": f"Token {token}"}


@pytest.fixture
def things(operator: User, web: MakeWeb) -> dict[str, Any]:
    """Something of everything, by the noun in its address."""
    destination = Destination.objects.create(name="archive", host="127.0.0.1", port=1, called_ae_title="ARCHIVE")
    batch = Batch.objects.create(
        created_by=operator,
        destination=destination,
        method="c-store",
        verify="presence",
        state=BatchState.DRAFT,
        created_at=timezone.now(),
    )
    SkippedFile.objects.create(batch=batch, path="a", kind="broken", reason="cut")
    transfer = services.create_transfer(
        study(), destination=destination, method="c-store", verify="presence", batch=batch
    )
    ledger = Ledger(transfer.audit)
    for number, kind in enumerate((EvidenceKind.ACKNOWLEDGED, EvidenceKind.REFUSED), 1):
        ledger.begin_round()
        ledger.record(Observation(f"2.25.1.{number}", kind, timezone.now(), {"status_code": "0x0000"}))
    ledger.close()
    Transfer.objects.filter(pk=transfer.pk).update(state=State.FINISHED, verdict=transfer.audit.verdict)
    upload = uploads.begin(operator, "study.zip", 2**40 // 1000)
    source = Source.objects.create(name="research", url=web(lambda _: Reply(200, b"[]", "application/json")).url)
    found: dict[str, Any] = {"destinations": destination.name, "sources": source.name, "batches": batch}
    return found | {"transfers": transfer, "uploads": upload}


@schema.parametrize()
@few_examples
def test_whatever_it_is_sent_the_api_answers_as_its_schema_says(
    case: schemathesis.Case[Any], headers: dict[str, str]
) -> None:
    unfair: list[CheckFunction] = [positive_data_acceptance] if (case.method, case.path) in MAY_REFUSE else []

    case.call_and_validate(headers=headers, excluded_checks=unfair)


OF_MADE_UP_VALUES: list[CheckFunction] = [positive_data_acceptance, negative_data_rejection, missing_required_header]
"""These ask whether a request was rightly taken or refused; here a part of it is not the one that was made up."""


@schema.include(path_regex=r"\{").parametrize()
@few_examples
def test_of_things_that_are_there_too(
    case: schemathesis.Case[Any], headers: dict[str, str], things: dict[str, Any]
) -> None:
    thing = things[case.path.split("/")[3]]
    for name in case.path_parameters:
        case.path_parameters[name] = str(getattr(thing, "public_id", thing))

    case.call_and_validate(headers=headers, excluded_checks=OF_MADE_UP_VALUES)


def test_the_schema_is_made_without_a_warning(tmp_path: Path) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))


def test_every_operation_says_what_it_is_for_and_how_it_fails() -> None:
    for path, operations in schema.raw_schema["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"]
            for status_code, answer in operation["responses"].items():
                is_problem = "application/problem+json" in answer.get("content", {})
                assert is_problem == (int(status_code) >= 400), (method, path)
