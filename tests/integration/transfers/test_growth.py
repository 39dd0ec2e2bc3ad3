"""What came to a source after the manifest was taken is told, and counts against nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tests.commands import Outcome, run
from tests.datasets import unique_uid, write_instance, write_study
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Asked, Reply
from tests.peers.orthanc import Orthanc
from tests.source_entries import stored_at
from transfers import growth, queue
from transfers.batch_queue import claim_batch
from transfers.batch_reader import read_batch
from transfers.leases import this_process
from transfers.models import Batch, Destination, Source, Transfer
from transfers.runner import run_transfer
from transfers.services import DestinationMoved
from transfers.sources import orthanc_studies
from transfers.states import BatchState
from transfers.submissions import NothingIsNew, send_what_is_new

pytestmark = pytest.mark.django_db(transaction=True)

STUDY = "f689ddd2-662f8fd3-7f4b3fe3-5c7b0c8e-6ed3a2f1"
SERIES = "0189ddd2-662f8fd3-7f4b3fe3-5c7b0c8e-6ed3a2f1"


def send(source: Orthanc, to: Orthanc, study_instance_uid: str) -> Outcome:
    Source.objects.get_or_create(name="source", url=source.url)
    quick = {"presence_settle_seconds": 0.2, "probe_retry_seconds": 0.2}
    Destination.objects.get_or_create(name="archive", defaults={"kind": "orthanc", "url": to.url, **quick})
    return run("send", "--from", "source", "--study", study_instance_uid, "--to", "archive", "--json")


def test_a_source_that_holds_what_was_sent_has_not_grown(
    source_orthanc: Orthanc, orthanc: Orthanc, tmp_path: Path
) -> None:
    entries = stored_at(source_orthanc, write_study(tmp_path, 3))

    outcome = send(source_orthanc, orthanc, entries[0].study_instance_uid)

    transfer = Transfer.objects.get()
    assert outcome.transfer["verdict"] == "committed"
    assert (transfer.source_grown_by, transfer.source_asked_at is None) == (0, False)
    assert not transfer.events.filter(name="source_grown").exists()


def test_what_came_to_the_source_meanwhile_is_told_and_changes_no_verdict(
    source_orthanc: Orthanc, orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, series = unique_uid(), unique_uid()
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
    shared: Any = {"study_instance_uid": study, "series_instance_uid": series}
    stored_at(source_orthanc, [write_instance(tmp_path / "before", **shared) for _ in range(2)])
    ask = orthanc_studies.instances_held

    def after_two_more(*arguments: object) -> frozenset[str]:
        more = [write_instance(tmp_path / "after", study_instance_uid=study, series_instance_uid=unique_uid())]
        more += [write_instance(tmp_path / "after", **shared)]
        stored_at(source_orthanc, more)
        return ask(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(growth, "instances_held", after_two_more)

    outcome = send(source_orthanc, orthanc, study)

    transfer = Transfer.objects.get()
    assert outcome.transfer["verdict"] == "committed"
    assert transfer.source_grown_by == 2
    assert transfer.events.get(name="source_grown").detail == {"instances": 2}


def test_what_is_new_is_sent_and_what_is_there_is_not_sent_again(
    source_orthanc: Orthanc, orthanc: Orthanc, tmp_path: Path
) -> None:
    study, series = unique_uid(), unique_uid()
    shared: Any = {"study_instance_uid": study, "series_instance_uid": series}
    before = stored_at(source_orthanc, [write_instance(tmp_path, **shared) for _ in range(2)])
    send(source_orthanc, orthanc, study)
    (later,) = stored_at(source_orthanc, [write_instance(tmp_path, **shared)])
    transfer = Transfer.objects.get()
    growth.ask_source_again(transfer, Event())
    transfer.refresh_from_db()

    batch = send_what_is_new(transfer, User.objects.create_user("operator"))

    claim_batch(batch, this_process())
    read_batch(batch)
    again = batch.transfers.get()
    queue.claim(again, this_process())
    run_transfer(again)
    again.refresh_from_db()
    assert (again.verdict, again.instances, again.method) == ("committed", 3, "orthanc-rest")
    sent = again.audit.instances.filter(evidence__kind="sent").values_list("sop_instance_uid", flat=True)
    assert list(sent) == [later.sop_instance_uid]
    compared = again.audit.instances.filter(evidence__kind="identical").values_list("sop_instance_uid", flat=True)
    assert set(compared) == {entry.sop_instance_uid for entry in before}


def test_what_is_new_is_submitted_once_however_often_it_is_asked_for(
    create: Callable[..., Transfer], destination: Destination
) -> None:
    transfer, operator = create(), User.objects.create_user("operator")
    transfer.source = Source.objects.create(name="source", url="http://127.0.0.1:1")
    transfer.source_study_id, transfer.source_grown_by, transfer.source_asked_at = STUDY, 2, timezone.now()

    first = send_what_is_new(transfer, operator)

    assert send_what_is_new(transfer, operator) == first
    Batch.objects.update(state=BatchState.FAILED)
    assert send_what_is_new(transfer, operator) != first
    transfer.source_asked_at += timedelta(minutes=1)
    assert send_what_is_new(transfer, operator) not in {first, Batch.objects.order_by("pk")[1]}


@pytest.mark.parametrize("grown_by", [None, 0])
def test_where_nothing_is_new_nothing_is_submitted(create: Callable[..., Transfer], grown_by: int | None) -> None:
    transfer = create()
    transfer.source = Source.objects.create(name="source", url="http://127.0.0.1:1")
    transfer.source_grown_by = grown_by

    with pytest.raises(NothingIsNew):
        send_what_is_new(transfer, User.objects.create_user("operator"))


def test_what_is_new_is_not_sent_to_another_archive(create: Callable[..., Transfer], destination: Destination) -> None:
    transfer = create()
    transfer.source, transfer.source_grown_by = Source(name="source"), 2
    destination.port = 105

    with pytest.raises(DestinationMoved):
        send_what_is_new(transfer, User.objects.create_user("operator"))


@pytest.mark.parametrize(
    "reply",
    [Reply(404), Reply(401), Reply(500), Reply(200, b'{"Series": null}', "application/json")],
    ids=["gone", "credentials", "failing", "odd"],
)
def test_where_the_source_says_nothing_nothing_is_known_of_its_growth(
    web: MakeWeb, orthanc: Orthanc, source_orthanc: Orthanc, tmp_path: Path, reply: Reply
) -> None:
    entries = stored_at(source_orthanc, write_study(tmp_path, 1))
    send(source_orthanc, orthanc, entries[0].study_instance_uid)
    transfer = Transfer.objects.get()
    Source.objects.update(url=web(lambda _: reply).url)
    transfer.source = Source.objects.get()

    growth.ask_source_again(transfer, Event())

    transfer.refresh_from_db()
    assert transfer.source_grown_by is None
    assert transfer.source_asked_at is not None


def test_what_cannot_be_sent_is_no_growth(
    web: MakeWeb, orthanc: Orthanc, source_orthanc: Orthanc, tmp_path: Path
) -> None:
    entries = stored_at(source_orthanc, write_study(tmp_path, 1))
    send(source_orthanc, orthanc, entries[0].study_instance_uid)
    transfer = Transfer.objects.get()
    known = entries[0].sop_instance_uid
    held = [{"ID": STUDY, "MainDicomTags": {"SOPInstanceUID": uid}} for uid in (known, "1.2*", "", "1.2.3")]

    def answer(asked: Asked) -> Reply:
        found: object = held if asked.path.endswith("/instances") else {"ID": STUDY, "Series": [SERIES]}
        return Reply(200, json.dumps(found).encode(), "application/json")

    Source.objects.update(url=web(answer).url)
    transfer.source = Source.objects.get()

    growth.ask_source_again(transfer, Event())

    assert transfer.source_grown_by == 1


def test_a_transfer_of_files_asks_no_source(db: None, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    transfer = Transfer()

    with django_assert_num_queries(0):
        growth.ask_source_again(transfer, Event())

    assert transfer.source_asked_at is None
