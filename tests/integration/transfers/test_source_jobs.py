"""Whole transfers by jobs of a source Orthanc: what they say, and what is found to be there."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.db import connection

from audit.entries import ManifestEntry, StudyManifest
from audit.judgements import StudyVerdict
from tests.datasets import write_study
from tests.entries import entry_of
from tests.fakes.accelerator import Accelerator
from tests.fakes.accelerator_sending import AcceleratorPeer
from tests.fakes.fixtures import MakeAccelerator, MakeWeb
from tests.fakes.source_jobs import LOST, job
from tests.fakes.source_jobs import Source as ScriptedSource
from tests.integration.transfers.conftest import dead
from tests.peers.orthanc import Orthanc
from tests.source_entries import stored_at
from transfers import run, services
from transfers.leases import this_process
from transfers.methods import METHODS
from transfers.methods.base import ReconnectPolicy, Seen
from transfers.methods.orthanc_job_following import Following
from transfers.methods.orthanc_job_outcome import Outcome
from transfers.models import Attempt, Destination, Source, Transfer
from transfers.queue import claim
from transfers.runner import run_transfer
from transfers.states import State

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("whole_ledger")]

JOBS = ["orthanc-modality-store", "orthanc-peer-store", "orthanc-stow"]
QUICK = {"presence_settle_seconds": 0.2, "probe_retry_seconds": 0.5}

MakeTransfer = Callable[..., Transfer]


def destination_of(peer: Orthanc, kind: str, url: str = "") -> Destination:
    if kind == "dicom":
        address = {"host": peer.host, "port": peer.port, "called_ae_title": peer.ae_title}
    else:
        address = {"url": url or (peer.dicom_web_url if kind == "dicomweb" else peer.url)}
    return Destination.objects.create(name=f"{kind}-{peer.port}", kind=kind, **QUICK, **address)


def transfer_of(
    entries: Sequence[ManifestEntry], method: str, destination: Destination, source_url: str, **options: Any
) -> Transfer:
    """Claimed by this process."""
    study = StudyManifest(entries[0].study_instance_uid, tuple(entries))
    source, _ = Source.objects.get_or_create(name="source", url=source_url)
    transfer = services.create_transfer(
        study, destination=destination, method=method, verify="presence", options=options, worker=this_process()
    )
    transfer.source = source
    transfer.save(update_fields=["source"])
    return transfer


def verdicts(transfer: Transfer) -> dict[str, str]:
    transfer.refresh_from_db()
    return dict(transfer.audit.instances.values_list("sop_instance_uid", "verdict"))


def kinds(transfer: Transfer, entry: ManifestEntry) -> list[str]:
    instance = transfer.audit.instances.get(sop_instance_uid=entry.sop_instance_uid)
    return list(instance.evidence.order_by("id").values_list("kind", flat=True))


@pytest.mark.parametrize("method", JOBS)
def test_what_the_destination_drops_is_found_missing_though_the_job_succeeded(
    source_orthanc: Orthanc, web_orthanc: Orthanc, tmp_path: Path, method: str
) -> None:
    entries = stored_at(source_orthanc, write_study(tmp_path, 5, size_bytes=200, patient_id="FILTERED"))
    destination = destination_of(web_orthanc, METHODS[method].kinds[0])
    transfer = transfer_of(entries, method, destination, source_orthanc.url)

    run_transfer(transfer)

    assert verdicts(transfer) == {
        entry.sop_instance_uid: "refuted" if entry is entries[4] else "confirmed" for entry in entries
    }
    assert transfer.audit.verdict == StudyVerdict.PARTIAL
    assert kinds(transfer, entries[4])[0] == "job-succeeded"
    assert transfer.events.filter(name="source_alias").exists()


def test_by_the_accelerator_a_whole_study_is_committed_and_pulled_where_it_is_to_be(
    accelerator: MakeAccelerator, source_orthanc: Orthanc, web_orthanc: Orthanc, tmp_path: Path
) -> None:
    entries = stored_at(source_orthanc, write_study(tmp_path, 3, size_bytes=200))
    peer = accelerator(web_orthanc)
    source: Accelerator = accelerator(source_orthanc, peers={"FAST": AcceleratorPeer(peer.url, "SOURCE")})
    peer.peers["SOURCE"] = AcceleratorPeer(source.url)
    source_orthanc.add_peer("FAST", peer.url, RemoteSelf="SOURCE")
    destination = destination_of(web_orthanc, "orthanc", peer.url)
    transfer = transfer_of(entries, "orthanc-transfers", destination, source.url)

    run_transfer(transfer)

    assert set(verdicts(transfer).values()) == {"confirmed"}
    assert transfer.audit.verdict == StudyVerdict.COMMITTED
    assert kinds(transfer, entries[0]) == ["job-succeeded", "present"]


def test_the_commitment_that_the_source_asks_for_is_weighed_in_the_round_of_its_sending(
    source_orthanc: Orthanc, web_orthanc: Orthanc, tmp_path: Path
) -> None:
    entries = stored_at(source_orthanc, write_study(tmp_path, 5, size_bytes=200, patient_id="FILTERED"))
    destination = destination_of(web_orthanc, "dicom")
    transfer = transfer_of(entries, "orthanc-modality-store", destination, source_orthanc.url, commitment=True)
    Transfer.objects.update(verify="none")
    transfer.verify = "none"

    run_transfer(transfer)

    assert kinds(transfer, entries[0]) == ["job-succeeded", "committed"]
    assert kinds(transfer, entries[4]) == ["job-succeeded", "commitment-refused"]
    assert verdicts(transfer)[entries[4].sop_instance_uid] == "refuted"
    # Nobody asked what was there before; but a job said that it sent it.
    assert verdicts(transfer)[entries[0].sop_instance_uid] == "confirmed"
    assert transfer.audit.verdict == StudyVerdict.PARTIAL


class Dies(BaseException):
    """As a process that is killed: nothing is cleaned up."""


def test_a_job_of_a_process_that_died_is_followed_by_who_takes_it_up(
    source_orthanc: Orthanc, web_orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = stored_at(source_orthanc, write_study(tmp_path, 20, size_bytes=200))
    destination = destination_of(web_orthanc, "dicom")
    transfer = transfer_of(entries, "orthanc-modality-store", destination, source_orthanc.url)
    follow = Following.run

    def dies(*_: Any) -> Iterator[Seen]:
        raise Dies

    monkeypatch.setattr(Following, "run", dies)
    with pytest.raises(Dies):
        run_transfer(transfer)
    monkeypatch.setattr(Following, "run", follow)
    ((saved,),) = Attempt.objects.values_list("checkpoints", flat=True)
    Transfer.objects.update(state=State.SENDING, worker=dead())
    transfer.refresh_from_db()
    connection.close()
    claim(transfer, "another")

    run_transfer(transfer)

    assert set(verdicts(transfer).values()) == {"confirmed"}
    assert kinds(transfer, entries[-1]) == ["no-answer", "job-succeeded", "present"]
    started = transfer.events.filter(name="job_started").values_list("detail__job", flat=True)
    assert list(started) == [saved["handle"]["id"]]


def test_a_destination_that_dies_in_the_middle_gets_the_rest_by_a_new_job(
    source_orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "files").mkdir()
    entries = stored_at(source_orthanc, write_study(tmp_path / "files", 30, size_bytes=200))
    with Orthanc(tmp_path, ae_title="MORTAL") as mortal:
        source_orthanc.add_modality("MORTAL", mortal.as_modality)
        destination = destination_of(mortal, "dicom")
        transfer = transfer_of(entries, "orthanc-modality-store", destination, source_orthanc.url)
        follow, killers = Following.run, list[Thread]()

        def die_and_come_back() -> None:
            while len(mortal.instances()) < 5:
                pass
            mortal.kill()
            mortal.start()

        def followed(self: Following, *arguments: Any) -> Generator[Seen, None, Outcome]:
            if not killers:
                killers.append(Thread(target=die_and_come_back))
                killers[0].start()
            return (yield from follow(self, *arguments))

        monkeypatch.setattr(Following, "run", followed)
        run_transfer(transfer)
        killers[0].join()
        there = mortal.instances()

    assert transfer.events.filter(name="job_started").count() >= 2
    assert there == {entry.sop_instance_uid for entry in entries}
    assert set(verdicts(transfer).values()) == {"confirmed"}


def test_an_alias_that_leads_elsewhere_sends_nothing(
    source_orthanc: Orthanc, web_orthanc: Orthanc, orthanc: Orthanc, tmp_path: Path
) -> None:
    entries = stored_at(source_orthanc, write_study(tmp_path, 2, size_bytes=200))
    destination = destination_of(orthanc, "dicom")
    transfer = transfer_of(entries, "orthanc-modality-store", destination, source_orthanc.url, alias="WEB")

    run_transfer(transfer)

    assert transfer.audit.verdict == StudyVerdict.NOTHING_STORED
    assert not web_orthanc.instances() & {entry.sop_instance_uid for entry in entries}
    assert kinds(transfer, entries[0])[0] == "not-sent"


def test_what_a_job_may_bring_still_is_not_said_to_be_missing(
    web: MakeWeb, web_orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """We lose touch with a job; it may go on all the same, and deliver long after the destination was asked."""
    monkeypatch.setattr(run, "RECONNECT", ReconnectPolicy(attempts=1, first_wait_seconds=0.01))
    paths = write_study(tmp_path, 3, size_bytes=100)
    entries = at_scripted_source(paths)
    source = ScriptedSource([job("Running"), LOST], peer_url=web_orthanc.url)
    transfer = transfer_of(entries, "orthanc-peer-store", destination_of(web_orthanc, "orthanc"), web(source).url)

    run_transfer(transfer)

    assert transfer.audit.verdict == StudyVerdict.UNVERIFIABLE
    assert kinds(transfer, entries[0]) == ["no-answer", "probe-failed"]
    assert set(verdicts(transfer).values()) == {"unproven"}

    source.looks = [job("Running")]
    asked_again(transfer)
    assert transfer.audit.verdict == StudyVerdict.UNVERIFIABLE

    source.looks = [job("Failure")]
    stored_at(web_orthanc, paths[:1])
    asked_again(transfer)
    assert transfer.audit.verdict == StudyVerdict.PARTIAL
    assert verdicts(transfer)[entries[0].sop_instance_uid] == "confirmed"


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "https://127.0.0.1:1", "tls_enabled": True, "tls_ca_file": "/nowhere/ca.pem"},
        {"username": "us", "password_encrypted": "nonsense"},
    ],
    ids=["no CA file", "password under another key"],
)
def test_where_nobody_can_be_asked_about_a_job_it_may_bring_everything_still(
    web: MakeWeb, web_orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]
) -> None:
    monkeypatch.setattr(run, "RECONNECT", ReconnectPolicy(attempts=1, first_wait_seconds=0.01))
    entries = at_scripted_source(write_study(tmp_path, 3, size_bytes=100))
    source = ScriptedSource([job("Running"), LOST], peer_url=web_orthanc.url)
    transfer = transfer_of(entries, "orthanc-peer-store", destination_of(web_orthanc, "orthanc"), web(source).url)
    run_transfer(transfer)
    source.looks = [job("Failure")]
    Source.objects.update(**fields)
    transfer.refresh_from_db()

    asked_again(transfer)

    assert transfer.audit.verdict == StudyVerdict.UNVERIFIABLE
    assert set(verdicts(transfer).values()) == {"unproven"}


def at_scripted_source(paths: Sequence[Path]) -> list[ManifestEntry]:
    return [
        replace(entry_of(path), source_id=f"{'00000000-' * 4}0000000{place}", path="", data_set_size=100)
        for place, path in enumerate(paths)
    ]


def asked_again(transfer: Transfer) -> None:
    services.reverify(transfer, "presence", this_process())
    transfer.refresh_from_db()
    run_transfer(transfer)
    transfer.refresh_from_db()
