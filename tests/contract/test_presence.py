"""Every presence probe keeps the same promises, each asking the same real Orthanc by its own protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation, Occurrence
from tests.datasets import write_instance, write_study
from tests.entries import entries_of
from tests.peers.orthanc import Orthanc
from tests.peers.process import free_port
from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, OrthancEndpoint
from transfers.methods.base import SendContext
from transfers.methods.c_store import CStore
from transfers.probes import DEFAULT_PROBES, PROBES
from transfers.probes.base import Probe, ProbeContext
from transfers.probes.presence import PresenceProbe

PRESENT, ABSENT, FAILED = EvidenceKind.PRESENT, EvidenceKind.ABSENT, EvidenceKind.PROBE_FAILED
KEYS = sorted(key for key, probe in PROBES.items() if isinstance(probe, PresenceProbe))


@pytest.fixture(params=KEYS)
def probe(request: pytest.FixtureRequest) -> Probe:
    return PROBES[request.param]


@pytest.fixture
def peer(web_orthanc: Orthanc) -> Orthanc:
    return web_orthanc


def endpoint_of(probe: Probe, peer: Orthanc) -> Endpoint:
    endpoints: dict[str, Endpoint] = {
        "c-find": DicomEndpoint(peer.host, peer.port, peer.ae_title, "TALLYMAN"),
        "qido-rs": DicomWebEndpoint(peer.dicom_web_url),
        "orthanc": OrthancEndpoint(peer.url),
    }
    return endpoints[probe.key]


def nowhere(endpoint: Endpoint) -> Endpoint:
    """The same, where nothing listens."""
    if isinstance(endpoint, DicomEndpoint):
        return replace(endpoint, port=free_port())
    return replace(endpoint, url=f"http://127.0.0.1:{free_port()}/dicom-web")


def send(entries: Iterable[ManifestEntry], peer: Orthanc) -> None:
    context = SendContext(DicomEndpoint(peer.host, peer.port, peer.ae_title, "TALLYMAN"))
    seen = list(CStore().send(list(entries), context))
    assert EvidenceKind.REFUSED not in [each.kind for each in seen if isinstance(each, Observation)]


def asked(
    probe: Probe, entries: list[ManifestEntry], endpoint: Endpoint, *, stop: Event | None = None
) -> dict[str, Observation]:
    sent = frozenset(entry.sop_instance_uid for entry in entries)
    context = ProbeContext(endpoint, settle_seconds=0.4, retry_seconds=0, may_settle=sent, stop=stop or Event())
    seen = list(probe.verify(entries, context))
    observations = [each for each in seen if isinstance(each, Observation)]
    assert [each.sop_instance_uid for each in observations] == [each.sop_instance_uid for each in entries]
    assert all(isinstance(each, Observation | Occurrence) for each in seen)
    return {each.sop_instance_uid: each for each in observations}


def kinds(observations: dict[str, Observation]) -> list[EvidenceKind]:
    return [each.kind for each in observations.values()]


def test_every_kind_of_destination_has_a_probe() -> None:
    assert set(DEFAULT_PROBES) == {"dicom", "dicomweb", "orthanc"}
    assert set(DEFAULT_PROBES.values()) == set(KEYS)
    assert all(key == probe.key for key, probe in PROBES.items())


def test_what_was_stored_is_present(probe: Probe, peer: Orthanc, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=12, series=3, size_bytes=64))
    send(entries, peer)

    observations = asked(probe, entries, endpoint_of(probe, peer))

    assert kinds(observations) == [PRESENT] * 12
    assert {each.detail["reason"] for each in observations.values()} == {"Listed"}


def test_what_was_never_sent_is_absent(probe: Probe, peer: Orthanc, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=6, series=2, size_bytes=64))
    send(entries[:5], peer)

    observations = asked(probe, entries, endpoint_of(probe, peer))

    assert kinds(observations) == [PRESENT] * 5 + [ABSENT]
    absent = observations[entries[5].sop_instance_uid].detail
    assert absent["lists"] >= 2
    assert absent["direct_question"] == "not-found"


def test_of_a_study_that_is_not_there_everything_is_absent(probe: Probe, peer: Orthanc, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=3, size_bytes=64))

    assert kinds(asked(probe, entries, endpoint_of(probe, peer))) == [ABSENT] * 3


def test_what_was_answered_with_success_and_dropped_is_absent(probe: Probe, peer: Orthanc, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=10, size_bytes=64, patient_id="FILTERED"))
    send(entries, peer)

    observations = asked(probe, entries, endpoint_of(probe, peer))

    assert kinds(observations) == ([PRESENT] * 4 + [ABSENT]) * 2


def test_more_missing_than_can_be_asked_for_are_absent_by_a_sample(probe: Probe, peer: Orthanc, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=210, size_bytes=64))
    send(entries[:1], peer)

    observations = asked(probe, entries, endpoint_of(probe, peer))

    assert Counter(kinds(observations)) == {PRESENT: 1, ABSENT: 209}


def test_an_instance_that_was_deleted_is_absent(probe: Probe, peer: Orthanc, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=3, size_bytes=64))
    send(entries, peer)
    (found,) = peer.rest(
        "/tools/find", body={"Level": "Instance", "Query": {"SOPInstanceUID": entries[1].sop_instance_uid}}
    )
    peer.rest(f"/instances/{found}", method="DELETE")

    assert kinds(asked(probe, entries, endpoint_of(probe, peer))) == [PRESENT, ABSENT, PRESENT]


def test_an_instance_of_another_study_under_the_same_uid_is_not_present(
    probe: Probe, peer: Orthanc, tmp_path: Path
) -> None:
    ours = write_study(tmp_path, instances=2, size_bytes=64)
    entries = entries_of(ours)
    theirs = write_instance(tmp_path, sop_instance_uid=entries[1].sop_instance_uid, size_bytes=64, name="theirs.dcm")
    send([entries[0], *entries_of([theirs])], peer)

    observations = asked(probe, entries, endpoint_of(probe, peer))

    first, second = observations.values()
    assert first.kind is PRESENT
    assert second.kind is not PRESENT


def test_preflight_lists_what_is_there_already(probe: Probe, peer: Orthanc, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=6, series=2, size_bytes=64))
    send(entries[:3], peer)

    listing = probe.list_present(entries, ProbeContext(endpoint_of(probe, peer)))

    assert listing.present == {entry.sop_instance_uid for entry in entries[:3]}
    assert listing.unknown == frozenset()


def test_a_destination_that_is_not_there_leaves_everything_open(probe: Probe, peer: Orthanc, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=3, size_bytes=64))
    endpoint = nowhere(endpoint_of(probe, peer))

    listing = probe.list_present(entries, ProbeContext(endpoint, preflight_retry_seconds=0))

    assert kinds(asked(probe, entries, endpoint)) == [FAILED] * 3
    assert (listing.present, len(listing.unknown)) == (frozenset(), 3)


def test_a_stop_leaves_everything_open(probe: Probe, peer: Orthanc, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=3, size_bytes=64))
    stop = Event()
    stop.set()

    observations = asked(probe, entries, endpoint_of(probe, peer), stop=stop)

    assert kinds(observations) == [FAILED] * 3
    assert {each.detail["code"] for each in observations.values()} == {"stopped"}


# Copies


def copies(folder: Path, patients: list[str], sop_instance_uid: str) -> list[Path]:
    """The same instance of the same study, of several patients."""
    return [
        write_instance(
            folder,
            study_instance_uid=f"{sop_instance_uid}.1",
            series_instance_uid=f"{sop_instance_uid}.2",
            sop_instance_uid=sop_instance_uid,
            size_bytes=64,
            patient_id=patient,
            name=f"{patient}.dcm",
        )
        for patient in patients
    ]


@pytest.mark.parametrize("key", ["orthanc", "qido-rs"])
def test_an_instance_of_two_patients_is_present_and_told_to_be_there_twice(
    key: str, peer: Orthanc, tmp_path: Path
) -> None:
    probe = PROBES[key]
    paths = copies(tmp_path, ["FIRST", "SECOND"], f"2.25.7001.{KEYS.index(key)}")
    send(entries_of(paths), peer)

    (observation,) = asked(probe, entries_of(paths[:1]), endpoint_of(probe, peer)).values()

    assert observation.kind is PRESENT
    assert observation.detail["copies"] == 2
    assert "under another patient" in observation.detail["reason"]
    assert "FIRST" not in str(observation)
    assert "SECOND" not in str(observation)


def test_orthanc_tells_of_a_copy_under_another_study(peer: Orthanc, tmp_path: Path) -> None:
    ours = write_study(tmp_path, instances=2, size_bytes=64)
    entries = entries_of(ours)
    theirs = write_instance(tmp_path, sop_instance_uid=entries[0].sop_instance_uid, size_bytes=64, name="theirs.dcm")
    send([*entries, *entries_of([theirs])], peer)
    probe = PROBES["orthanc"]

    first, second = asked(probe, entries, endpoint_of(probe, peer)).values()

    assert (first.kind, second.kind) == (PRESENT, PRESENT)
    assert first.detail["copies"] == 2
    assert first.detail["listed_under"]["study_instance_uid"] == entries_of([theirs])[0].study_instance_uid
    assert "copies" not in second.detail
