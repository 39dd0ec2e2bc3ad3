"""Transfers over HTTP: lists, one with everything, its instances, events and report, and what can be done with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from audit.entries import SkippedKind
from audit.ledger import Ledger
from audit.observations import EvidenceKind, Observation
from tests.manifests import study
from transfers import queue, services
from transfers.models import Batch, Destination, SkippedFile, Transfer
from transfers.reports import transfer_summary
from transfers.states import State

pytestmark = pytest.mark.django_db

TRANSFERS = "/api/v1/transfers/"
ACKNOWLEDGED, REFUSED, SENT = EvidenceKind.ACKNOWLEDGED, EvidenceKind.REFUSED, EvidenceKind.SENT
PRESENT, ABSENT = EvidenceKind.PRESENT, EvidenceKind.ABSENT
REFUSAL = {"status_code": "0xA700", "meaning": "Out of resources", "error_comment": "disk is full"}
NOTHING_FOUND = {
    "expected": 3,
    "sent": 0,
    "acknowledged": 0,
    "committed": 0,
    "present": 0,
    "compared": 0,
    "different": 0,
}

Create = Callable[..., Transfer]


def url_of(transfer: Transfer, part: str = "") -> str:
    return f"{TRANSFERS}{transfer.public_id}/{part}"


def observe(transfer: Transfer, *rounds: dict[int, EvidenceKind]) -> Ledger:
    """In each round, evidence about instances by their number (from 1)."""
    ledger = Ledger(transfer.audit)
    ledger.note_was_there_before([], [])
    for found in rounds:
        ledger.begin_round()
        for number, kind in found.items():
            detail = REFUSAL if kind is REFUSED else {}
            uid = f"{transfer.study_instance_uid}.{number}"
            ledger.record(Observation(uid, kind, timezone.now(), detail))
    ledger.flush()
    return ledger


def finish(transfer: Transfer, *rounds: dict[int, EvidenceKind]) -> Transfer:
    observe(transfer, *rounds).close()
    for state in (State.PREPARING, State.PREFLIGHT, State.FINISHED):
        queue.move(transfer, state)
    return transfer


@pytest.fixture
def partial(create: Create) -> Transfer:
    """One of three was refused, the others are there."""
    return finish(create(), {1: ACKNOWLEDGED, 2: REFUSED, 3: ACKNOWLEDGED}, {1: PRESENT, 2: ABSENT, 3: PRESENT})


@pytest.fixture
def sending(create: Create) -> Transfer:
    """One of three has its answer, one is on its way."""
    transfer = create()
    for state in (State.PREPARING, State.PREFLIGHT, State.SENDING):
        queue.move(transfer, state)
    observe(transfer, {1: ACKNOWLEDGED, 2: SENT})
    return transfer


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [each["id"] for each in answer.json()["results"]]


# Lists


def test_transfers_are_listed_the_newest_first_page_by_page(api: APIClient, create: Create) -> None:
    made = [str(create(worker="").public_id) for _ in range(5)]

    first = api.get(TRANSFERS, {"page_size": 2}).json()
    second = api.get(first["next"]).json()
    last = api.get(second["next"]).json()

    pages = [[each["id"] for each in page["results"]] for page in (first, second, last)]
    assert pages == [made[:2:-1], made[2:0:-1], made[:1]]
    assert (first["previous"], last["next"]) == (None, None)
    assert ids(api.get(last["previous"])) == pages[1]


def test_what_comes_meanwhile_moves_nothing_to_another_page(api: APIClient, create: Create) -> None:
    made = [str(create(worker="").public_id) for _ in range(4)]
    first = api.get(TRANSFERS, {"page_size": 2}).json()

    create(worker="")

    assert ids(api.get(first["next"])) == made[1::-1]


def test_a_list_asks_the_database_as_often_for_many_as_for_few(
    api: APIClient, create: Create, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The token, the other tokens of its account, which transfers, and those; nothing is counted."""
    for _ in range(9):
        create(worker="")

    with django_assert_num_queries(4):
        api.get(TRANSFERS)


@pytest.mark.parametrize(
    "cursor", ["", "x", "after-", "before-x", "after-٣", "after-1\n", "AFTER-1", "after-" + "5" * 60]
)
def test_a_cursor_that_is_none_is_said_to_be(api: APIClient, create: Create, cursor: str) -> None:
    refused = api.get(TRANSFERS, {"cursor": cursor})

    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["cursor"])


@pytest.mark.parametrize("size", ["0", "-1", "501", "many", "1.5", "", "9" * 20])
def test_a_page_size_that_cannot_be_is_said_to_be(api: APIClient, db: None, size: str) -> None:
    refused = api.get(TRANSFERS, {"page_size": size})

    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["page_size"])


def test_transfers_are_filtered_by_what_they_are(
    api: APIClient, create: Create, partial: Transfer, destination: Destination
) -> None:
    waiting = create(worker="")
    other = Destination.objects.create(name="other", host="127.0.0.1", port=104, called_ae_title="OTHER")
    elsewhere = services.create_transfer(study(), destination=other, method=None, verify="presence")
    early, later = timezone.now() - timedelta(days=1), timezone.now() + timedelta(days=1)

    def found(**filters: Any) -> set[str]:
        return set(ids(api.get(TRANSFERS, filters)))

    of = {name: str(each.public_id) for name, each in locals().items() if isinstance(each, Transfer)}
    assert found(state="finished") == {of["partial"]}
    assert found(state=["finished", "queued"]) == {of["partial"], of["waiting"], of["elsewhere"]}
    assert found(verdict=["partial", "committed"]) == {of["partial"]}
    assert found(destination="other") == {of["elsewhere"]}
    assert found(method="c-store") == {of["partial"], of["waiting"]}
    assert found(created_after=early.isoformat(), created_before=later.isoformat()) == set(of.values())
    assert found(created_after=later.isoformat()) == found(created_before=early.isoformat()) == set()
    assert found(destination="nowhere") == set()
    assert (waiting.state, elsewhere.state) == ("queued", "queued")


def test_transfers_are_found_by_uid_id_and_words(api: APIClient, create: Create) -> None:
    wanted, other = create(worker=""), create(worker="")
    Transfer.objects.filter(pk=wanted.pk).update(
        study_instance_uid="2.25.77", study_description="CT Thorax 50% contrast"
    )
    Transfer.objects.filter(pk=other.pk).update(study_instance_uid="2.25.8", study_description="MR Head")
    public_id = str(wanted.public_id)

    for text in ("2.25.77", "2.25.7", public_id, public_id[:8], public_id[:13].upper(), "thorax ct", "50%", "%"):
        assert ids(api.get(TRANSFERS, {"q": text})) == [public_id], text
    for text in ("2.25.9", "thorax head", "_", "25.77", public_id[1:]):
        assert ids(api.get(TRANSFERS, {"q": text})) == [], text


@pytest.mark.parametrize(
    "instant", ["1073-10-25T01:16:34.8-21:41", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-31"]
)
def test_an_instant_may_be_any(api: APIClient, create: Create, instant: str) -> None:
    create(worker="")

    found = len(ids(api.get(TRANSFERS, {"created_after": instant})))

    assert found == (0 if instant.startswith("9") else 1)
    assert found + len(ids(api.get(TRANSFERS, {"created_before": instant}))) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "lost"),
        ("verdict", "good"),
        ("batch", "me"),
        ("method", "pigeon"),
        ("created_after", "yesterday"),
        ("created_after", ""),
        ("state", ""),
        ("q", "x" * 201),
        ("q", "\0"),
        ("destination", "\0"),
    ],
)
def test_a_filter_that_cannot_be_is_said_to_be(api: APIClient, db: None, name: str, value: str) -> None:
    refused = api.get(TRANSFERS, {name: value})

    assert (refused.status_code, list(refused.json()["errors"])) == (400, [name])


def test_the_transfers_of_a_batch_are_listed(api: APIClient, operator: User, destination: Destination) -> None:
    batch = batch_of(operator, destination)
    mine = services.create_transfer(study(), destination=destination, method="c-store", verify="none", batch=batch)
    services.create_transfer(study(), destination=destination, method="c-store", verify="none")

    assert ids(api.get(TRANSFERS, {"batch": str(batch.public_id)})) == [str(mine.public_id)]


def batch_of(user: User, destination: Destination) -> Batch:
    return Batch.objects.create(
        created_by=user,
        destination=destination,
        method="c-store",
        verify="none",
        state="started",
        created_at=timezone.now(),
    )


# One


def test_a_finished_transfer_shows_its_verdict_and_how_it_came_about(api: APIClient, partial: Transfer) -> None:
    shown = api.get(url_of(partial)).json()

    expected = {
        "state": "finished",
        "verdict": "partial",
        "proof": None,
        "counts": {"instances": 3, "confirmed": 2, "refuted": 1, "unproven": 0, "pending": 0},
        "funnel": NOTHING_FOUND | {"sent": 3, "acknowledged": 2, "present": 2},
        "resend": {"instances": 1, "size_bytes": 1000},
        "destination_may_trust_stable_study": False,
    }
    assert shown | expected == shown
    assert "Only 2 of 3" in shown["reason"]


def test_a_running_transfer_confirms_nothing_yet(api: APIClient, sending: Transfer) -> None:
    shown = api.get(url_of(sending)).json()

    expected = {
        "state": "sending",
        "verdict": "pending",
        "reason": "",
        "counts": {"instances": 3, "confirmed": 0, "refuted": 0, "unproven": 0, "pending": 3},
        "funnel": NOTHING_FOUND | {"sent": 2, "acknowledged": 1},
        "resend": {"instances": 0, "size_bytes": 0},
    }
    assert shown | expected == shown


def test_the_revision_grows_with_what_happens(api: APIClient, sending: Transfer) -> None:
    before = api.get(url_of(sending)).json()["revision"]

    observe(sending, {3: SENT})

    assert api.get(url_of(sending)).json()["revision"] > before


def test_every_link_of_a_transfer_leads_somewhere(api: APIClient, operator: User, destination: Destination) -> None:
    batch = batch_of(operator, destination)
    made = services.create_transfer(study(), destination=destination, method="c-store", verify="none", batch=batch)

    shown = api.get(url_of(made)).json()

    assert [api.get(link).status_code for link in [shown["url"], *shown["links"].values()]] == [200] * 6


# Instances


def test_each_instance_has_its_evidence_in_plain_words(api: APIClient, partial: Transfer) -> None:
    _, refused, _ = api.get(url_of(partial, "instances/")).json()["results"]

    assert refused | {"position": 1, "verdict": "refuted", "ground": "absent", "was_there_before": "no"} == refused
    assert refused["why"] == "not found at the destination"
    assert [each["text"] for each in refused["evidence"]] == [
        "Refused by the destination: 0xA700 Out of resources: “disk is full”",
        "Not listed by the destination, asked in every way",
    ]


def test_until_it_is_judged_an_instance_is_refuted_or_pending(api: APIClient, sending: Transfer) -> None:
    observe(sending, {3: REFUSED})

    rows = api.get(url_of(sending, "instances/")).json()["results"]

    assert [each["verdict"] for each in rows] == ["pending", "pending", "refuted"]
    assert [(each["ground"], each["why"] != "") for each in rows] == [(None, False), (None, False), ("refused", True)]


def test_what_is_listed_while_an_audit_is_open_is_not_called_confirmed(api: APIClient, sending: Transfer) -> None:
    observe(sending, {1: PRESENT})

    first, *_ = api.get(url_of(sending, "instances/")).json()["results"]

    assert (first["verdict"], first["evidence"][-1]["kind"]) == ("pending", "present")


def test_instances_are_filtered(api: APIClient, partial: Transfer) -> None:
    def found(**filters: Any) -> list[int]:
        page = api.get(url_of(partial, "instances/"), filters).json()
        return [each["position"] for each in page["results"]]

    uid = partial.study_instance_uid
    assert found(verdict="refuted") == [1]
    assert found(verdict=["refuted", "confirmed"]) == [0, 1, 2]
    assert found(ground="present") == [0, 2]
    assert found(evidence="refused") == [1]
    assert found(without_evidence="acknowledged") == [1]
    assert found(series=f"{uid}.0") == [0, 1, 2]
    assert found(series="2.25.404") == []
    assert found(q=f"{uid}.3") == [2]


def test_instances_of_a_running_transfer_are_filtered_by_what_is_known(api: APIClient, sending: Transfer) -> None:
    observe(sending, {3: REFUSED})

    def found(verdict: str) -> list[int]:
        page = api.get(url_of(sending, "instances/"), {"verdict": verdict}).json()
        return [each["position"] for each in page["results"]]

    assert [found(verdict) for verdict in ("refuted", "pending", "confirmed")] == [[2], [0, 1], []]


def test_evidence_of_the_whole_chain_is_shown_and_filtered(api: APIClient, partial: Transfer) -> None:
    services.retry(partial, queue.this_process())
    observe(partial, {2: ACKNOWLEDGED})

    (again,) = api.get(url_of(partial, "instances/"), {"evidence": "refused"}).json()["results"]

    assert [each["kind"] for each in again["evidence"]] == ["refused", "absent", "acknowledged"]


def test_instances_come_page_by_page_in_the_order_of_the_manifest(api: APIClient, create: Create) -> None:
    transfer = create(worker="", instances=5)

    first = api.get(url_of(transfer, "instances/"), {"page_size": 3}).json()
    second = api.get(first["next"]).json()

    assert [[each["position"] for each in page["results"]] for page in (first, second)] == [[0, 1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("name", "value"), [("verdict", "committed"), ("ground", "x"), ("evidence", "x"), ("q", "1" * 65)]
)
def test_an_instance_filter_that_cannot_be_is_said_to_be(
    api: APIClient, partial: Transfer, name: str, value: str
) -> None:
    refused = api.get(url_of(partial, "instances/"), {name: value})

    assert (refused.status_code, list(refused.json()["errors"])) == (400, [name])


# Events and the report


def test_events_are_listed_in_their_order(api: APIClient, partial: Transfer) -> None:
    page = api.get(url_of(partial, "events/"), {"page_size": 2}).json()

    assert [each["name"] for each in page["results"]] == ["created", "state_changed"]
    assert page["results"][1]["detail"] | {"after": "preparing"} == page["results"][1]["detail"]
    assert len(api.get(page["next"]).json()["results"]) == 2


def report_of(api: APIClient, transfer: Transfer) -> dict[str, Any]:
    answer = api.get(url_of(transfer, "report/"))
    assert answer.headers["Content-Type"] == "application/json"
    return dict(json.loads(b"".join(answer.streaming_content)))  # type: ignore[attr-defined]


def test_the_report_is_that_of_the_command_line(api: APIClient, partial: Transfer) -> None:
    report = report_of(api, partial)

    (transfer,) = report["transfers"]
    assert transfer | {"id": str(partial.public_id), "verdict": "partial", "method": "c-store"} == transfer
    assert [each["verdict"] for each in transfer["instances"]] == ["confirmed", "refuted", "confirmed"]
    assert report["skipped"] == []
    assert list(transfer) == [*transfer_summary(partial), "instances"]


def test_the_report_names_what_was_left_out_of_its_batch(
    api: APIClient, operator: User, destination: Destination
) -> None:
    batch = batch_of(operator, destination)
    made = services.create_transfer(study(), destination=destination, method="c-store", verify="none", batch=batch)
    SkippedFile.objects.create(batch=batch, path="a/b", kind=SkippedKind.BROKEN, reason="cut")

    assert report_of(api, made)["skipped"] == [{"path": "a/b", "kind": "broken", "reason": "cut"}]


# What can be done


def test_what_is_not_confirmed_is_sent_again(api: APIClient, partial: Transfer) -> None:
    answer = api.post(url_of(partial, "retry/"))

    assert (answer.status_code, answer.json()["state"], answer.json()["verdict"]) == (200, "queued", "pending")


def test_a_destination_is_asked_again(api: APIClient, partial: Transfer) -> None:
    answer = api.post(url_of(partial, "verify/"), {"verify": "presence"}, format="json")

    partial.refresh_from_db()
    assert (answer.status_code, answer.json()["state"]) == (200, "queued")
    assert not partial.sends


def test_what_was_sent_without_asking_is_asked_about_by_presence(api: APIClient, partial: Transfer) -> None:
    Transfer.objects.update(verify="none")

    assert api.post(url_of(partial, "verify/")).json()["verify"] == "presence"


def test_a_running_transfer_is_cancelled_by_whoever_runs_it(api: APIClient, sending: Transfer) -> None:
    answer = api.post(url_of(sending, "cancel/"))

    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["cancel_requested_at"] is not None) == ("sending", True)
    assert sending.events.get(name="cancel_requested").detail["by"] == "operator"


def test_a_waiting_transfer_is_cancelled_at_once(api: APIClient, create: Create) -> None:
    answer = api.post(url_of(create(worker=""), "cancel/"))

    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")


@pytest.mark.parametrize(
    ("intent", "state", "code"),
    [
        ("cancel", "finished", "nothing_to_cancel"),
        ("retry", "sending", "transfer_is_held"),
        ("verify", "sending", "transfer_is_held"),
        ("retry", "queued", "transfer_is_held"),
    ],
)
def test_the_wrong_moment_is_said_to_be(api: APIClient, partial: Transfer, intent: str, state: str, code: str) -> None:
    Transfer.objects.update(state=state)

    refused = api.post(url_of(partial, f"{intent}/"))

    assert (refused.status_code, refused.json()["code"]) == (409, code)
    assert refused.json()["detail"]


def test_there_is_nothing_to_retry_of_what_is_committed(api: APIClient, create: Create) -> None:
    committed = finish(create(instances=1), {1: ACKNOWLEDGED}, {1: PRESENT})

    refused = api.post(url_of(committed, "retry/"))

    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_retry")


def test_nothing_is_sent_to_a_destination_that_is_another_archive_now(
    api: APIClient, partial: Transfer, destination: Destination
) -> None:
    Destination.objects.update(host="127.0.0.2")

    for intent in ("retry", "verify"):
        refused = api.post(url_of(partial, f"{intent}/"))
        assert (refused.status_code, refused.json()["code"]) == (409, "destination_moved")


def test_asking_in_no_way_is_refused(api: APIClient, partial: Transfer) -> None:
    refused = api.post(url_of(partial, "verify/"), {"verify": "none"}, format="json")

    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["verify"])
