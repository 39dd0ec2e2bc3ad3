"""Whole transfers with storage commitment to a real Orthanc, and what its word is worth beside its lists."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from pytest_django import Settings

from tests.commands import destination_for, run, send, uids_of
from tests.datasets import write_study
from tests.peers.orthanc import DROP_ONE_IN_FIVE, Orthanc
from tests.peers.process import free_port
from transfers.listener import make_listener
from transfers.models import CommitmentRequest, Destination, Transfer
from transfers.states import State

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 20.0


@pytest.fixture(scope="module")
def port() -> int:
    """Where our listener is."""
    return free_port()


@pytest.fixture(autouse=True)
def _listener_settings(settings: Settings, port: int) -> None:
    settings.DICOM_PORT = port
    settings.LISTENER_HOST = "127.0.0.1"


def knowing_us(folder: Path, port: int, **options: Any) -> Orthanc:
    """An Orthanc that reports to us, and looks at its disk for it."""
    us = ("TALLYMAN", "127.0.0.1", port)
    return Orthanc(folder, modalities={"us": us}, settings={"MaximumStorageCacheSize": 0}, **options)


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Orthanc]:
    with knowing_us(tmp_path_factory.mktemp("committing"), port) as peer:
        yield peer


@pytest.fixture(scope="module")
def dropping_orthanc(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Orthanc]:
    """One that answers success and drops one in five."""
    with knowing_us(tmp_path_factory.mktemp("dropping"), port, ae_title="DROPPING", lua=DROP_ONE_IN_FIVE) as peer:
        yield peer


def committing(orthanc: Orthanc) -> Destination:
    return destination_for(orthanc, offers_commitment=True)


def test_a_whole_study_is_committed_by_commitment_alone(orthanc: Orthanc, folder: Path) -> None:
    write_study(folder, 5)

    outcome = send(committing(orthanc), folder, "--verify", "none")

    assert (outcome.exit_code, outcome.transfer["verdict"], outcome.transfer["proof"]) == (0, "committed", "committed")


def test_what_it_dropped_is_found_by_commitment_alone(dropping_orthanc: Orthanc, folder: Path) -> None:
    dropped = uids_of(write_study(folder, 5))[4]

    outcome = send(committing(dropping_orthanc), folder, "--verify", "none")

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (3, "partial")
    assert outcome.verdicts[dropped] == "refuted"
    assert outcome.kinds(dropped)[-1] == "commitment-refused"


def test_a_file_that_is_gone_from_its_disk_is_denied_though_it_was_listed(orthanc: Orthanc, folder: Path) -> None:
    """Not asked to commit before: what it read for that once stays in its memory, and it would commit again."""
    lost = uids_of(write_study(folder, 5))[2]
    sent = send(committing(orthanc), folder, "--method", "c-store")
    file_of(orthanc, lost).unlink()

    asked = run("verify", sent.transfer["id"], "--commitment", "--verify", "presence", "--json")

    assert sent.transfer["verdict"] == "committed"
    assert (asked.exit_code, asked.transfer["verdict"]) == (5, "unverifiable")
    assert "commitment-refused" in asked.kinds(lost)
    assert "contradict" in asked.transfer["reason"]
    assert [uid for uid, verdict in asked.verdicts.items() if verdict != "confirmed"] == [lost]
    assert asked.verdicts[lost] == "unproven"


def test_a_file_deleted_on_its_disk_is_a_contradiction_until_content_settles_it(orthanc: Orthanc, folder: Path) -> None:
    uids = uids_of(write_study(folder, 4))
    sent = send(destination_for(orthanc), folder)
    path = file_of(orthanc, uids[1])
    content = path.read_bytes()
    path.unlink()

    denied = run("verify", sent.transfer["id"], "--commitment", "--json")
    path.write_bytes(content)
    settled = run("verify", sent.transfer["id"], "--verify", "content", "--json")

    assert (denied.exit_code, denied.transfer["verdict"]) == (5, "unverifiable")
    assert denied.verdicts[uids[1]] == "unproven"
    assert "contradict" in denied.transfer["reason"]
    assert (settled.exit_code, settled.transfer["proof"]) == (0, "identical")


def test_a_report_that_could_not_be_brought_counts_when_it_comes(
    orthanc: Orthanc, folder: Path, settings: Settings, port: int
) -> None:
    write_study(folder, 3)
    settings.DICOM_PORT = free_port()  # not the one that Orthanc knows
    outcome = send(committing(orthanc), folder, "--verify", "none", "--option", "commitment_timeout_seconds=1")
    settings.DICOM_PORT = port
    assert (outcome.transfer["verdict"], CommitmentRequest.objects.get().is_overdue) == ("unverifiable", True)

    listener = make_listener()
    listener.start()
    try:
        orthanc.rest(f"/jobs/{failed_job(orthanc)}/resubmit", body={})
        wait_until(lambda: Transfer.objects.get().verdict == "committed")
    finally:
        listener.stop()
        connections.close_all()

    transfer = Transfer.objects.get()
    assert (transfer.state, transfer.audit.proof) == (State.FINISHED, "committed")
    assert not CommitmentRequest.objects.get().is_overdue


def failed_job(orthanc: Orthanc) -> str:
    transaction_uid = CommitmentRequest.objects.get().transaction_uid
    found: list[str] = []

    def is_there() -> bool:
        found[:] = [
            str(job["ID"])
            for job in orthanc.rest("/jobs?expand")
            if job["Content"].get("TransactionUid") == transaction_uid and job["State"] == "Failure"
        ]
        return bool(found)

    wait_until(is_there)
    return found[0]


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline, Transfer.objects.values_list("state", "verdict")
        time.sleep(0.05)


def file_of(orthanc: Orthanc, sop_instance_uid: str) -> Path:
    """Where Orthanc keeps an instance on its disk."""
    (found,) = orthanc.rest("/tools/find", body={"Level": "Instance", "Query": {"SOPInstanceUID": sop_instance_uid}})
    uuid = orthanc.rest(f"/instances/{found}/attachments/dicom/info")["Uuid"]
    path: Path = orthanc.folder / "storage" / uuid[:2] / uuid[2:4] / uuid
    assert path.is_file()
    return path
