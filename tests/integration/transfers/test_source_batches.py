"""Batches of studies that a source holds: read by a worker into one transfer each."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.datasets import unique_uid, write_study
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Asked, Reply
from tests.peers.orthanc import Orthanc
from tests.source_entries import stored_at
from transfers import submissions
from transfers.batch_queue import claim_batch, claim_next_batch
from transfers.batch_reader import read_batch
from transfers.leases import this_process
from transfers.models import Batch, Destination, Source
from transfers.passwords import encrypt_password
from transfers.queue import claim
from transfers.runner import run_transfer
from transfers.states import BatchState
from transfers.submissions import Submission

pytestmark = pytest.mark.django_db(transaction=True)

STUDY = "f689ddd2-662f8fd3-7f4b3fe3-5c7b0c8e-6ed3a2f1"


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("operator")


def source_at(url: str, **fields: Any) -> Source:
    return Source.objects.create(name="research", url=url, **fields)


def claimed(by: User, source: Source, *studies: str, to: str = "http://127.0.0.1:1", **asked_for: Any) -> Batch:
    quick = {"presence_settle_seconds": 0.2, "probe_retry_seconds": 0.2}
    destination = Destination.objects.create(name="archive", kind="orthanc", url=to, **quick)
    batch = submissions.submit(Submission(destination, source=source, studies=studies, **asked_for), by=by)
    claim_batch(batch, this_process())
    return batch


def test_each_study_becomes_a_transfer_that_streams_from_the_source(
    source_orthanc: Orthanc, orthanc: Orthanc, user: User, tmp_path: Path
) -> None:
    uids = [unique_uid(), unique_uid()]
    for uid in uids:
        stored_at(source_orthanc, write_study(tmp_path, 2, study_instance_uid=uid))
    source = source_at(source_orthanc.url)
    batch = claimed(user, source, *uids, to=orthanc.url)

    read_batch(batch)

    batch.refresh_from_db()
    transfers = list(batch.transfers.order_by("id"))
    assert (batch.state, batch.files_read) == (BatchState.STARTED, 4)
    assert [each.study_instance_uid for each in transfers] == uids
    assert {(each.source, bool(each.source_study_id), each.instances) for each in transfers} == {(source, True, 2)}
    for transfer in transfers:
        claim(transfer, this_process())
        run_transfer(transfer)
    assert {each.verdict for each in batch.transfers.all()} == {"committed"}


def test_a_study_that_is_named_twice_is_sent_once(source_orthanc: Orthanc, user: User, tmp_path: Path) -> None:
    (entry,) = stored_at(source_orthanc, write_study(tmp_path, 1))
    source_id = source_orthanc.rest(f"/instances/{entry.source_id}/study")["ID"]
    batch = claimed(user, source_at(source_orthanc.url), entry.study_instance_uid, source_id)

    read_batch(batch)

    assert batch.transfers.count() == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [({}, "study_not_at_source"), ({"username": "us", "password_encrypted": "nonsense"}, "password_unreadable")],
    ids=["no such study", "password under another key"],
)
def test_what_cannot_be_taken_is_said_and_nothing_is_sent(
    source_orthanc: Orthanc, user: User, fields: dict[str, str], code: str
) -> None:
    batch = claimed(user, source_at(source_orthanc.url, **fields), unique_uid())

    read_batch(batch)

    assert (batch.state, batch.error_code) == (BatchState.FAILED, code)
    assert not batch.transfers.exists()


def test_of_several_studies_it_is_said_which_cannot_be_taken(
    source_orthanc: Orthanc, user: User, tmp_path: Path
) -> None:
    (entry,) = stored_at(source_orthanc, write_study(tmp_path, 1))
    missing = unique_uid()
    batch = claimed(user, source_at(source_orthanc.url), entry.study_instance_uid, missing)

    read_batch(batch)

    assert (batch.state, batch.error_code) == (BatchState.FAILED, "study_not_at_source")
    assert batch.error.startswith(f"{missing}: The source holds no such study.")
    assert batch.error.endswith("Nothing was sent of any of the 2 studies.")
    assert not batch.transfers.exists()


def test_wrong_credentials_are_said(web: MakeWeb, user: User) -> None:
    source = source_at(web(lambda _: Reply(401)).url, username="us", password_encrypted=encrypt_password("no"))
    batch = claimed(user, source, unique_uid())

    read_batch(batch)

    assert (batch.state, batch.error_code) == (BatchState.FAILED, "credentials_refused")


class Receiving:
    """A source whose study is stable once the test says so."""

    def __init__(self) -> None:
        self.is_stable = False

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/tools/find":
            return said([STUDY])
        return said({"ID": STUDY, "IsStable": self.is_stable, "Series": [], "MainDicomTags": {}})


def said(value: object) -> Reply:
    return Reply(200, json.dumps(value).encode(), "application/json")


def test_while_instances_still_arrive_at_the_source_the_batch_waits_in_the_queue(web: MakeWeb, user: User) -> None:
    receiving = Receiving()
    batch = claimed(user, source_at(web(receiving).url), unique_uid(), waits_until_stable=True)

    read_batch(batch)

    assert batch.state == BatchState.QUEUED
    assert claim_next_batch(this_process()) is None
    receiving.is_stable = True
    Batch.objects.update(lease_until=timezone.now())
    again = claim_next_batch(this_process())
    assert again is not None
    read_batch(again)
    # It holds nothing: that it was asked for its instances shows that the waiting is over.
    assert again.error_code == "study_not_at_source"


def test_what_never_becomes_stable_is_given_up(web: MakeWeb, user: User) -> None:
    batch = claimed(user, source_at(web(Receiving()).url), unique_uid(), waits_until_stable=True)
    batch.created_at = timezone.now() - timedelta(hours=2)

    read_batch(batch)

    assert (batch.state, batch.error_code) == (BatchState.FAILED, "study_not_stable")


def test_a_worker_that_is_stopped_hands_the_batch_back(web: MakeWeb, user: User) -> None:
    stop = threading.Event()

    def answer(_: Asked) -> Reply:
        stop.set()
        return Reply(200, b"[" + b" " * 1000, "application/json", seconds_a_byte=0.1)

    batch = claimed(user, source_at(web(answer).url), unique_uid())

    read_batch(batch, stop=stop)

    assert (batch.state, batch.lease_until) == (BatchState.QUEUED, None)
