"""Jobs of a real Orthanc to a real Orthanc."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from audit.entries import ManifestEntry
from audit.judgements import InstanceVerdict
from audit.observations import EvidenceKind
from tests.datasets import write_study
from tests.fakes.acts import Answer
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from tests.integration.transfers.methods.jobs import SentByJobs, address_of, context_of, send
from tests.peers.orthanc import Orthanc
from tests.source_entries import stored_at
from transfers.aliases import AliasKind
from transfers.endpoints import OrthancEndpoint
from transfers.errors import AliasAmbiguous, AliasLeadsElsewhere, AliasUnknown
from transfers.methods import METHODS
from transfers.methods.base import ReconnectPolicy
from transfers.wire.orthanc_aliases import aliases_of

JOBS = ["orthanc-modality-store", "orthanc-peer-store", "orthanc-stow"]
SUCCEEDED, FAILED = EvidenceKind.JOB_SUCCEEDED, EvidenceKind.JOB_FAILED


@pytest.fixture
def entries(source_orthanc: Orthanc, tmp_path: Path) -> list[ManifestEntry]:
    """Four small CT slices in two series, at the source."""
    return stored_at(source_orthanc, write_study(tmp_path, 4, 2, size_bytes=2000))


@pytest.fixture
def many(source_orthanc: Orthanc, tmp_path: Path) -> list[ManifestEntry]:
    """More than are asked for one by one."""
    return stored_at(source_orthanc, write_study(tmp_path, 25, 2, size_bytes=200))


def uids(entries: list[ManifestEntry]) -> set[str]:
    return {entry.sop_instance_uid for entry in entries}


@pytest.mark.parametrize("method", JOBS)
def test_a_job_sends_exactly_the_entries(
    source_orthanc: Orthanc, web_orthanc: Orthanc, entries: list[ManifestEntry], method: str
) -> None:
    context = context_of(source_orthanc, address_of(web_orthanc, method))

    asked = METHODS[method].preflight(entries[:3], context)
    sent = send(method, entries[:3], context)

    assert sent.finals(entries[:3]) == {SUCCEEDED}
    assert sent.names() == ["job_started", "job_ended"]
    assert sent.occurred("job_ended")[0]["state"] == "Success"
    (checkpoint,) = sent.checkpoints
    job = source_orthanc.rest(f"/jobs/{checkpoint.handle['id']}")
    assert job["Type"] in METHODS[method].job_types  # type: ignore[attr-defined]
    assert sent.detail(entries[0], SUCCEEDED) == {"job": checkpoint.handle["id"], "instances": 3}
    assert web_orthanc.instances() & uids(entries) == uids(entries[:3])
    assert asked.occurrences[0].detail["alias"] == "WEB"


def test_whether_the_source_streams_is_told_with_the_alias(source_orthanc: Orthanc, web_orthanc: Orthanc) -> None:
    source_orthanc.add_server("BUFFERED", f"{web_orthanc.dicom_web_url}/", ChunkedTransfers=False)
    try:
        found = {alias.name: alias.is_chunked for alias in aliases_of(OrthancEndpoint(source_orthanc.url))}
    finally:
        source_orthanc.rest("/dicom-web/servers/BUFFERED", method="DELETE")

    assert found["BUFFERED"] is False
    context = context_of(source_orthanc, address_of(web_orthanc, "orthanc-stow"))
    (told,) = METHODS["orthanc-stow"].preflight([], context).occurrences
    assert told.detail["chunked_transfers"] is True


def test_all_the_aliases_of_a_source_are_read(source_orthanc: Orthanc) -> None:
    found = {(alias.kind, alias.name) for alias in aliases_of(OrthancEndpoint(source_orthanc.url))}

    assert {(AliasKind.MODALITY, "WEB"), (AliasKind.PEER, "WEB"), (AliasKind.SERVER, "WEB")} <= found
    assert AliasKind.ACCELERATED_PEER not in {kind for kind, _ in found}


@pytest.mark.parametrize("method", JOBS)
def test_an_alias_that_is_not_there_or_leads_elsewhere_is_refused(
    source_orthanc: Orthanc, web_orthanc: Orthanc, orthanc: Orthanc, entries: list[ManifestEntry], method: str
) -> None:
    unknown = context_of(source_orthanc, address_of(web_orthanc, method), alias="NOPE")
    elsewhere = context_of(source_orthanc, address_of(orthanc, method), alias="WEB")
    none = context_of(source_orthanc, address_of(orthanc, method))

    for context, error in ((unknown, AliasUnknown), (elsewhere, AliasLeadsElsewhere), (none, AliasUnknown)):
        with pytest.raises(error):
            METHODS[method].preflight(entries, context)
        sent = send(method, entries, context)
        assert sent.finals(entries) == {EvidenceKind.NOT_SENT}
        assert sent.detail(entries[0], EvidenceKind.NOT_SENT)["code"] == error.code
        assert sent.checkpoints == []
    assert not web_orthanc.instances() & uids(entries)


def test_where_several_aliases_lead_there_one_has_to_be_chosen(
    source_orthanc: Orthanc, web_orthanc: Orthanc, entries: list[ManifestEntry]
) -> None:
    source_orthanc.add_peer("SECOND", web_orthanc.url)
    try:
        destination = address_of(web_orthanc, "orthanc-peer-store")
        with pytest.raises(AliasAmbiguous, match=r"SECOND .*WEB"):
            METHODS["orthanc-peer-store"].preflight(entries, context_of(source_orthanc, destination))
        sent = send("orthanc-peer-store", entries, context_of(source_orthanc, destination, alias="SECOND"))
    finally:
        source_orthanc.rest("/peers/SECOND", method="DELETE")

    assert sent.finals(entries) == {SUCCEEDED}


@pytest.mark.parametrize("method", ["orthanc-peer-store"])
def test_what_is_gone_from_the_source_is_not_sent_and_the_job_goes_without_it(
    source_orthanc: Orthanc, web_orthanc: Orthanc, many: list[ManifestEntry], method: str
) -> None:
    source_orthanc.rest(f"/instances/{many[3].source_id}", method="DELETE")
    rest = [*many[:3], *many[4:]]

    sent = send(method, many, context_of(source_orthanc, address_of(web_orthanc, method)))

    assert sent.final(many[3]) is EvidenceKind.NOT_SENT
    assert sent.detail(many[3], EvidenceKind.NOT_SENT)["code"] == "source_instance_gone"
    assert sent.finals(rest) == {SUCCEEDED}
    assert sent.verdict(many[3]) is InstanceVerdict.REFUTED


@pytest.mark.parametrize("change", [{"data_set_size": 5}, {"file_md5": "0" * 32}], ids=["size", "md5"])
def test_what_the_source_holds_in_another_file_is_not_sent(
    source_orthanc: Orthanc, web_orthanc: Orthanc, entries: list[ManifestEntry], change: dict[str, Any]
) -> None:
    changed = [replace(entries[0], **change), *entries[1:]]

    context = context_of(source_orthanc, address_of(web_orthanc, "orthanc-peer-store"))
    sent = send("orthanc-peer-store", changed, context)

    assert sent.detail(changed[0], EvidenceKind.NOT_SENT)["code"] == "source_instance_changed"
    assert sent.finals(changed[1:]) == {SUCCEEDED}


@pytest.mark.parametrize("method", JOBS)
def test_a_destination_that_is_down_fails_the_job_and_new_ones_are_tried(
    source_orthanc: Orthanc, tmp_path: Path, entries: list[ManifestEntry], method: str
) -> None:
    down = Orthanc(tmp_path, ae_title="DOWN")
    source_orthanc.add_modality("DOWN", down.as_modality)
    source_orthanc.add_peer("DOWN", down.url)
    source_orthanc.add_server("DOWN", down.dicom_web_url)

    sent = send(method, entries, context_of(source_orthanc, address_of(down, method), alias="DOWN"))

    assert sent.finals(entries) == {FAILED}
    assert sent.detail(entries[0], FAILED)["code"] == "job_failed"
    assert len(sent.checkpoints) == 3
    assert sent.verdict(entries[0]) is InstanceVerdict.UNPROVEN
    assert sent.verdict(entries[0], EvidenceKind.ABSENT) is InstanceVerdict.REFUTED
    assert sent.verdict(entries[0], EvidenceKind.PRESENT) is InstanceVerdict.CONFIRMED


def test_a_stop_cancels_the_job(source_orthanc: Orthanc, web_orthanc: Orthanc, tmp_path: Path) -> None:
    entries = stored_at(source_orthanc, write_study(tmp_path, 60, 1, size_bytes=200))
    stop = Event()
    context = context_of(source_orthanc, address_of(web_orthanc, "orthanc-modality-store"), stop=stop)
    sending = METHODS["orthanc-modality-store"].send(entries, context)
    sent = SentByJobs()
    for seen in itertools.takewhile(lambda _: not sent.checkpoints, sending):
        sent.add(seen)
    next(sending)

    stop.set()
    for seen in sending:
        sent.add(seen)

    assert sent.finals(entries) == {FAILED}
    assert sent.detail(entries[0], FAILED)["code"] == "job_cancelled"
    job = source_orthanc.rest(f"/jobs/{sent.checkpoints[0].handle['id']}")
    assert (job["State"], job["ErrorCode"]) == ("Failure", 37)
    assert len(web_orthanc.instances() & uids(entries)) < 60


def test_nothing_is_begun_once_it_is_stopped(
    source_orthanc: Orthanc, web_orthanc: Orthanc, entries: list[ManifestEntry]
) -> None:
    stop = Event()
    stop.set()

    sent = send(
        "orthanc-peer-store",
        entries,
        context_of(source_orthanc, address_of(web_orthanc, "orthanc-peer-store"), stop=stop),
    )

    assert sent.finals(entries) == {EvidenceKind.NOT_SENT}
    assert sent.detail(entries[0], EvidenceKind.NOT_SENT)["code"] == "stopped"
    assert not web_orthanc.instances() & uids(entries)


def test_a_job_of_an_earlier_process_is_followed_and_nothing_is_sent_again(
    source_orthanc: Orthanc, web_orthanc: Orthanc, entries: list[ManifestEntry]
) -> None:
    context = context_of(source_orthanc, address_of(web_orthanc, "orthanc-peer-store"))
    sending = METHODS["orthanc-peer-store"].send(entries, context)
    first = SentByJobs()
    for seen in sending:
        first.add(seen)
        if first.checkpoints:
            break
    sending.close()  # type: ignore[attr-defined]

    again = context_of(source_orthanc, address_of(web_orthanc, "orthanc-peer-store"), checkpoints=first.checkpoints)
    sent = send("orthanc-peer-store", entries[1:], again)

    assert sent.finals(entries[1:]) == {SUCCEEDED}
    assert sent.checkpoints == []
    assert web_orthanc.instances() >= uids(entries)


def test_an_instance_that_is_refused_keeps_no_other_from_being_sent(
    source_orthanc: Orthanc, archive: MakeArchive, tmp_path: Path
) -> None:
    entries = stored_at(source_orthanc, write_study(tmp_path, 5, size_bytes=200))
    refused, others = entries[1], [entries[0], *entries[2:]]
    peer = archive(Script(on_store={refused.sop_instance_uid: Answer(0xA900)}), ae_title="REFUSING")
    source_orthanc.add_modality("REFUSING", (peer.ae_title, peer.host, peer.port))

    def missing(asked: Sequence[ManifestEntry]) -> list[ManifestEntry]:
        return [entry for entry in asked if entry.sop_instance_uid not in peer.stored]

    sent = send("orthanc-modality-store", entries, context_of(source_orthanc, peer.endpoint(), missing=missing))

    assert set(peer.stored) == uids(others)
    assert sent.final(refused) is EvidenceKind.REFUSED
    assert sent.detail(refused, EvidenceKind.REFUSED)["status_code"] == "0xA900"
    assert sent.of(entries[0]) == [FAILED]  # it had arrived, by a job that failed
    assert sent.finals(entries[2:]) == {SUCCEEDED}
    assert [len(each.handle["sop_instance_uids"]) for each in sent.checkpoints] == [5, 3, 1]
    # An earlier job may have stored what a later one was refused: that alone denies nothing.
    assert sent.verdict(refused) is InstanceVerdict.UNPROVEN
    assert sent.verdict(refused, EvidenceKind.ABSENT) is InstanceVerdict.REFUTED


@pytest.mark.parametrize("is_filtered", [False, True])
def test_the_source_has_what_was_sent_committed_and_only_what_the_report_names_is(
    source_orthanc: Orthanc, web_orthanc: Orthanc, tmp_path: Path, is_filtered: bool
) -> None:
    patient_id = "FILTERED" if is_filtered else "TEST"
    entries = stored_at(source_orthanc, write_study(tmp_path, 6, size_bytes=200, patient_id=patient_id))
    dropped = {entries[4].sop_instance_uid} if is_filtered else set()

    context = context_of(source_orthanc, address_of(web_orthanc, "orthanc-modality-store"), commitment=True)
    sent = send("orthanc-modality-store", entries, context)

    assert sent.finals(entries) == {SUCCEEDED}
    for entry in entries:
        is_dropped = entry.sop_instance_uid in dropped
        expected = EvidenceKind.COMMITMENT_REFUSED if is_dropped else EvidenceKind.COMMITTED
        assert sent.of(entry) == [SUCCEEDED, expected]
        verdict = InstanceVerdict.REFUTED if is_dropped else InstanceVerdict.CONFIRMED
        assert sent.verdict(entry) is verdict
    (report,) = sent.occurred("commitment_report")
    assert report == {"asked": 6, "committed": 6 - len(dropped), "failed": len(dropped)}


def test_a_source_that_is_killed_and_comes_back_sends_all_by_the_same_job_or_by_a_new_one(
    web_orthanc: Orthanc, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    settings = {"DicomModalities": {"WEB": web_orthanc.as_modality}}
    with Orthanc(tmp_path, ae_title="MORTAL", settings=settings) as mortal:
        entries = stored_at(mortal, write_study(tmp_path / "files", 20, size_bytes=200))
        policy = ReconnectPolicy(attempts=20, first_wait_seconds=0.2, factor=1)
        context = context_of(mortal, address_of(web_orthanc, "orthanc-modality-store"), policy=policy)

        def kill_and_start() -> None:
            mortal.kill()
            mortal.start()

        sent, killer = SentByJobs(), Thread(target=kill_and_start)

        for seen in METHODS["orthanc-modality-store"].send(entries, context):
            sent.add(seen)
            if sent.checkpoints and killer.ident is None and web_orthanc.instances() & uids(entries):
                killer.start()
        killer.join()

    assert sent.finals(entries) == {SUCCEEDED}
    assert web_orthanc.instances() >= uids(entries)
