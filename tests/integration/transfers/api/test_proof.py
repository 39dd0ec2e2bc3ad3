"""How a transfer was proved, over HTTP: asked again and elsewhere, commitment, alarms, and taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from audit.observations import EvidenceKind
from tests.integration.transfers.api.test_transfers import (
    ABSENT,
    ACKNOWLEDGED,
    PRESENT,
    TRANSFERS,
    Create,
    finish,
    ids,
    observe,
    url_of,
)
from tests.manifests import study
from transfers import services
from transfers.models import CommitmentReport, CommitmentRequest, Destination, Transfer
from transfers.states import State

pytestmark = pytest.mark.django_db

ALL = {1: ACKNOWLEDGED, 2: ACKNOWLEDGED, 3: ACKNOWLEDGED}
ALL_PRESENT = {1: PRESENT, 2: PRESENT, 3: PRESENT}
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def committed(create: Create) -> Transfer:
    return finish(create(), ALL, ALL_PRESENT)


@pytest.fixture
def service(db: None) -> Destination:
    """Another destination, that nothing can be sent to."""
    return Destination.objects.create(name="rest", kind="orthanc", url="http://127.0.0.1:1", verify="content:50%")


def uid(transfer: Transfer, number: int) -> str:
    return f"{transfer.study_instance_uid}.{number}"


def ask(transfer: Transfer, hours_ago: float = 0, **fields: Any) -> CommitmentRequest:
    at = timezone.now() - timedelta(hours=hours_ago)
    return CommitmentRequest.objects.create(
        transfer=transfer,
        transaction_uid=f"2.25.{CommitmentRequest.objects.count() + 1}",
        round=9,
        sop_instance_uids=[uid(transfer, number) for number in (1, 2, 3)],
        called_ae_title="ARCHIVE",
        created_at=at,
        sent_at=at,
        due_at=at + timedelta(hours=1),
        **fields,
    )


# What it shows


def test_what_was_asked_and_reported_is_shown(api: APIClient, committed: Transfer) -> None:
    request = ask(committed)
    before = api.get(url_of(committed)).json()["commitment_requests"]
    CommitmentReport.objects.create(
        transaction_uid=request.transaction_uid,
        event_type_id=2,
        calling_ae_title="ARCHIVE",
        committed=[[CT, uid(committed, 1)], [CT, uid(committed, 2)]],
        failed=[[CT, uid(committed, 2), 0x0112]],
        received_at=timezone.now(),
        request=request,
    )

    (shown,) = api.get(url_of(committed)).json()["commitment_requests"]

    assert [each["counts"] for each in before] == [{"asked": 3, "committed": 0, "failed": 0, "not_mentioned": 0}]
    assert shown["counts"] == {"asked": 3, "committed": 1, "failed": 1, "not_mentioned": 1}
    expected = {"called_ae_title": "ARCHIVE", "overdue": False, "answered_at": None}
    assert shown | expected == shown
    assert shown["due_at"] > shown["sent_at"]


def test_an_orphan_counts_for_nothing(api: APIClient, committed: Transfer) -> None:
    request = ask(committed)
    CommitmentReport.objects.create(
        transaction_uid=request.transaction_uid,
        event_type_id=1,
        calling_ae_title="STRANGER",
        committed=[[CT, uid(committed, number)] for number in (1, 2, 3)],
        failed=[],
        received_at=timezone.now(),
        request=request,
        orphaned_because="wrong_ae_title",
    )

    (shown,) = api.get(url_of(committed)).json()["commitment_requests"]

    assert shown["counts"] == {"asked": 3, "committed": 0, "failed": 0, "not_mentioned": 0}


def test_what_is_to_be_done_and_proved_is_shown(api: APIClient, create: Create) -> None:
    transfer = create(asks_commitment=True, rolls_back=True)

    shown = api.get(url_of(transfer)).json()

    expected = {
        "purpose": "send",
        "asks_commitment": True,
        "rolls_back": True,
        "reverify_at": None,
        "missing_since": None,
        "earlier_audits": [],
        "commitment_requests": [],
        "audit": str(transfer.audit.public_id),
    }
    assert shown | expected == shown


def test_earlier_judgements_stay(api: APIClient, committed: Transfer) -> None:
    first = committed.audit
    api.post(url_of(committed, "verify/"))
    committed.refresh_from_db()
    observe(committed, {1: PRESENT, 2: ABSENT, 3: PRESENT}).close()

    shown = api.get(url_of(committed)).json()

    (earlier,) = shown["earlier_audits"]
    assert earlier | {"id": str(first.public_id), "verdict": "committed", "proof": "present"} == earlier
    assert earlier["reason"] == first.reason
    assert earlier["sealed_at"] is not None
    assert shown["audit"] != earlier["id"]


def test_the_funnel_has_the_steps_of_every_way_to_ask(api: APIClient, create: Create) -> None:
    transfer = finish(
        create(), ALL, {1: EvidenceKind.COMMITTED, 2: EvidenceKind.COMMITTED}, ALL_PRESENT, {1: EvidenceKind.IDENTICAL}
    )

    funnel = api.get(url_of(transfer)).json()["funnel"]

    assert funnel | {"committed": 2, "present": 3, "compared": 1, "different": 0} == funnel


# Lists


def test_what_is_overdue_is_found_until_it_is_asked_for_again(api: APIClient, create: Create) -> None:
    overdue, asked_again, waiting, never = (create() for _ in range(4))
    ask(overdue, 5, is_overdue=True)
    ask(asked_again, 5, is_overdue=True)
    ask(asked_again, 1)
    ask(waiting)

    assert ids(api.get(TRANSFERS, {"overdue": "true"})) == [str(overdue.public_id)]
    others = [str(each.public_id) for each in (never, waiting, asked_again)]
    assert ids(api.get(TRANSFERS, {"overdue": "false"})) == others


def test_what_is_missing_is_found_until_somebody_has_seen_it(
    api: APIClient, committed: Transfer, create: Create
) -> None:
    create()
    Transfer.objects.filter(pk=committed.pk).update(missing_since=timezone.now())
    assert ids(api.get(TRANSFERS, {"missing": "true"})) == [str(committed.public_id)]

    seen = api.post(url_of(committed, "alarm-seen/"))

    assert (seen.status_code, seen.json()["missing_since"], seen.json()["verdict"]) == (200, None, "committed")
    assert ids(api.get(TRANSFERS, {"missing": "true"})) == []
    assert committed.events.get(name="alarm_seen").detail["by"] == "operator"


def test_an_alarm_that_is_none_is_seen_without_a_word(api: APIClient, committed: Transfer) -> None:
    assert api.post(url_of(committed, "alarm-seen/")).status_code == 200

    assert not committed.events.filter(name="alarm_seen").exists()


@pytest.mark.parametrize("name", ["overdue", "missing"])
def test_an_alarm_is_true_or_false(api: APIClient, name: str) -> None:
    refused = api.get(TRANSFERS, {name: "perhaps"})

    assert (refused.status_code, list(refused.json()["errors"])) == (400, [name])


@pytest.mark.parametrize("name", ["overdue", "missing"])
def test_an_alarm_is_looked_for_in_one_query(
    api: APIClient, create: Create, name: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Besides the token, the other tokens of its account, and the rows of the page."""
    transfer = create()
    ask(transfer, 5, is_overdue=True)
    Transfer.objects.update(missing_since=timezone.now())
    api.get(TRANSFERS)

    with django_assert_num_queries(4):
        assert len(ids(api.get(TRANSFERS, {name: "true"}))) == 1


# Asking


def test_it_is_asked_to_commit_too(api: APIClient, committed: Transfer) -> None:
    answer = api.post(url_of(committed, "verify/"), {"verify": "content:20%", "commitment": True}, format="json")

    expected = {"purpose": "verify", "verify": "content:20%", "asks_commitment": True, "state": "queued"}
    assert answer.status_code == 200
    assert answer.json() | expected == answer.json()
    assert committed.events.get(name="reverified").detail["by"] == "operator"


def test_a_report_that_is_overdue_is_asked_for_again(api: APIClient, committed: Transfer) -> None:
    Transfer.objects.update(state=State.AWAITING_COMMITMENT)

    answer = api.post(url_of(committed, "verify/"), {"verify": "none", "commitment": True}, format="json")

    assert (answer.status_code, answer.json()["state"]) == (200, "queued")


def test_another_destination_is_asked_in_a_transfer_of_its_own(
    api: APIClient, committed: Transfer, service: Destination
) -> None:
    answer = api.post(url_of(committed, "verify/"), {"destination": "rest"}, format="json")

    made = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, made["url"])
    expected = {
        "destination": "rest",
        "method": None,
        "purpose": "verify",
        "verify": "content:50%",
        "state": "queued",
        "instances": 3,
    }
    assert made | expected == made
    assert made["id"] != str(committed.public_id)
    assert made["study_instance_uid"] == committed.study_instance_uid
    inquiry = Transfer.objects.get(public_id=made["id"])
    assert inquiry.is_in_background
    assert inquiry.events.get(name="created").detail["by"] == "operator"
    assert api.get(url_of(committed)).json()["state"] == "finished"


def test_the_same_destination_may_be_named(api: APIClient, committed: Transfer) -> None:
    answer = api.post(url_of(committed, "verify/"), {"destination": "archive"}, format="json")

    assert (answer.status_code, answer.json()["id"]) == (200, str(committed.public_id))
    assert Transfer.objects.count() == 1


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"destination": "nowhere"}, "destination"),
        ({"destination": "rest", "commitment": True}, "commitment"),
        ({"destination": "rest", "verify": "none"}, "verify"),
        ({"verify": "none"}, "verify"),
        ({"verify": "hope"}, "verify"),
        ({"commitment": "yes"}, "commitment"),
        ({"comitment": True}, "comitment"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused(
    api: APIClient, committed: Transfer, service: Destination, asked: dict[str, Any], field: str
) -> None:
    refused = api.post(url_of(committed, "verify/"), asked, format="json")

    assert (refused.status_code, list(refused.json()["errors"])) == (400, [field])
    assert Transfer.objects.count() == 1
    assert api.get(url_of(committed)).json()["state"] == "finished"


# Taking back


def test_what_it_brought_is_removed_again(api: APIClient, committed: Transfer, service: Destination) -> None:
    committed.destination.ask_at.add(service)

    answer = api.post(url_of(committed, "rollback/"))

    assert answer.status_code == 200
    assert answer.json() | {"purpose": "roll_back", "state": "queued"} == answer.json()
    assert committed.events.get(name="roll_back_asked").detail["by"] == "operator"


def test_how_much_would_be_removed_is_said_before(api: APIClient, create: Create, service: Destination) -> None:
    transfer = finish(create(), {1: ACKNOWLEDGED, 2: ACKNOWLEDGED}, {1: PRESENT, 2: PRESENT, 3: ABSENT})
    transfer.destination.ask_at.add(service)

    preview = api.get(url_of(transfer, "rollback/"))

    assert (preview.status_code, preview.json()) == (200, {"instances": 2, "stays": 1})
    assert api.get(url_of(transfer)).json()["state"] == "finished"


def test_why_nothing_can_be_removed_is_said_before(api: APIClient, committed: Transfer) -> None:
    refused = api.get(url_of(committed, "rollback/"))

    assert (refused.status_code, refused.json()["code"]) == (409, "cannot_roll_back")


def test_where_nothing_can_be_removed_the_reason_is_said(api: APIClient, committed: Transfer) -> None:
    refused = api.post(url_of(committed, "rollback/"))

    assert (refused.status_code, refused.json()["code"]) == (409, "cannot_roll_back")
    assert "archive offers no way to remove instances" in refused.json()["detail"]


def test_what_sent_nothing_has_nothing_to_take_back(api: APIClient, service: Destination) -> None:
    inquiry = services.create_transfer(study(), destination=service, method=None, verify="presence")

    refused = api.post(url_of(inquiry, "rollback/"))

    assert (refused.status_code, refused.json()["code"]) == (409, "cannot_roll_back")


@pytest.mark.parametrize("intent", ["rollback", "verify"])
def test_what_runs_is_left_alone(api: APIClient, committed: Transfer, service: Destination, intent: str) -> None:
    committed.destination.ask_at.add(service)
    Transfer.objects.update(state=State.SENDING)

    refused = api.post(url_of(committed, f"{intent}/"))

    assert (refused.status_code, refused.json()["code"]) == (409, "transfer_is_held")


@pytest.mark.parametrize("intent", ["rollback", "verify", "alarm-seen"])
def test_viewers_do_none_of_it(viewer: APIClient, committed: Transfer, intent: str) -> None:
    assert viewer.post(url_of(committed, f"{intent}/")).status_code == 403
