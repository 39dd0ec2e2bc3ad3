"""Jobs of the transfers accelerator: pushed by the source, or pulled by the destination."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.entries import ManifestEntry
from audit.judgements import InstanceVerdict
from audit.observations import EvidenceKind
from tests.datasets import write_study
from tests.fakes.accelerator import Accelerator
from tests.fakes.accelerator_script import Script, Step
from tests.fakes.accelerator_sending import AcceleratorPeer
from tests.fakes.fixtures import MakeAccelerator
from tests.integration.transfers.methods.jobs import SentByJobs, context_of, send
from tests.peers.orthanc import Orthanc
from tests.source_entries import stored_at
from transfers.aliases import AliasKind
from transfers.endpoints import OrthancEndpoint
from transfers.errors import AcceleratorMissing
from transfers.methods import METHODS
from transfers.wire.orthanc_aliases import aliases_of

METHOD = "orthanc-transfers"
SUCCEEDED, FAILED = EvidenceKind.JOB_SUCCEEDED, EvidenceKind.JOB_FAILED


@pytest.fixture
def destination(accelerator: MakeAccelerator, web_orthanc: Orthanc) -> Accelerator:
    return accelerator(web_orthanc)


@pytest.fixture
def source(accelerator: MakeAccelerator, source_orthanc: Orthanc, destination: Accelerator) -> Iterator[Accelerator]:
    """It knows the destination as PUSHED and as PULLED."""
    source = accelerator(
        source_orthanc,
        peers={"PUSHED": AcceleratorPeer(destination.url), "PULLED": AcceleratorPeer(destination.url, "SOURCE")},
    )
    destination.peers["SOURCE"] = AcceleratorPeer(source.url)
    source_orthanc.add_peer("PUSHED", destination.url)
    source_orthanc.add_peer("PULLED", destination.url, RemoteSelf="SOURCE")
    yield source
    for name in ("PUSHED", "PULLED"):
        source_orthanc.rest(f"/peers/{name}", method="DELETE")


@pytest.fixture
def both(source: Accelerator, destination: Accelerator) -> tuple[Accelerator, Accelerator]:
    return source, destination


@pytest.fixture
def entries(source_orthanc: Orthanc, tmp_path: Path) -> list[ManifestEntry]:
    return stored_at(source_orthanc, write_study(tmp_path, 5, 2, size_bytes=500))


@pytest.mark.parametrize(
    ("alias", "compression", "where"),
    [("PUSHED", "none", "source"), ("PUSHED", "gzip", "source"), ("PULLED", "gzip", "destination")],
)
def test_a_job_is_followed_where_it_lives(
    both: tuple[Accelerator, Accelerator], entries: list[ManifestEntry], alias: str, compression: str, where: str
) -> None:
    source, destination = both
    context = context_of(source.url, OrthancEndpoint(destination.url), alias=alias, compression=compression)

    METHODS[METHOD].preflight(entries, context)
    sent = send(METHOD, entries, context)

    assert sent.finals(entries) == {SUCCEEDED}
    (checkpoint,) = sent.checkpoints
    assert checkpoint.handle["where"] == where
    assert destination.orthanc.instances() >= {entry.sop_instance_uid for entry in entries}


def test_its_peers_are_told_apart_by_who_fetches(source: Accelerator) -> None:
    found = aliases_of(OrthancEndpoint(source.url))

    pulled = {alias.name: alias.is_pulled for alias in found if alias.kind is AliasKind.ACCELERATED_PEER}
    assert (pulled["PUSHED"], pulled["PULLED"]) == (False, True)


def test_it_has_to_be_there_on_both_sides(
    source: Accelerator,
    destination: Accelerator,
    source_orthanc: Orthanc,
    web_orthanc: Orthanc,
    entries: list[ManifestEntry],
) -> None:
    without_at_source = context_of(source_orthanc, OrthancEndpoint(destination.url), alias="PUSHED")
    with pytest.raises(AcceleratorMissing, match="source"):
        METHODS[METHOD].preflight(entries, without_at_source)

    without_at_destination = context_of(source.url, OrthancEndpoint(web_orthanc.url), alias="WEB")
    with pytest.raises(AcceleratorMissing, match="destination"):
        METHODS[METHOD].preflight(entries, without_at_destination)


@pytest.mark.parametrize("alias", ["PUSHED", "PULLED"])
def test_a_commit_that_breaks_off_is_a_job_that_failed_and_what_is_missing_is_sent_by_a_new_one(
    source: Accelerator, destination: Accelerator, entries: list[ManifestEntry], alias: str
) -> None:
    destination.script.commit_stops_after = 2

    def missing(asked: object) -> list[ManifestEntry]:
        destination.script.commit_stops_after = None
        there = destination.orthanc.instances()
        return [entry for entry in asked if entry.sop_instance_uid not in there]  # type: ignore[attr-defined]

    context = context_of(source.url, OrthancEndpoint(destination.url), alias=alias, missing=missing)
    sent = send(METHOD, entries, context)

    by_kind = [sent.final(entry) for entry in entries]
    assert (by_kind.count(FAILED), by_kind.count(SUCCEEDED)) == (2, 3)
    assert [len(each.handle["sop_instance_uids"]) for each in sent.checkpoints] == [5, 2, 1]
    assert destination.orthanc.instances() >= {entry.sop_instance_uid for entry in entries}
    for entry in entries:
        assert sent.verdict(entry, EvidenceKind.PRESENT) is InstanceVerdict.CONFIRMED


@pytest.mark.parametrize("alias", ["PUSHED", "PULLED"])
def test_a_job_that_is_forgotten_proves_nothing(
    source: Accelerator, destination: Accelerator, entries: list[ManifestEntry], alias: str
) -> None:
    holder = source if alias == "PUSHED" else destination
    context = context_of(source.url, OrthancEndpoint(destination.url), alias=alias)
    first = SentByJobs()
    sending = METHODS[METHOD].send(entries, context)
    for seen in sending:
        first.add(seen)
        if first.checkpoints:
            break
    sending.close()  # type: ignore[attr-defined]
    holder.sending.forget_jobs()
    failing = Script(failing={Step.PLUGINS: [500] * 100})
    source.script.failing = failing.failing

    again = context_of(source.url, OrthancEndpoint(destination.url), alias=alias, checkpoints=first.checkpoints)
    sent = send(METHOD, entries, again)

    assert sent.finals(entries) == {EvidenceKind.NO_ANSWER}
    assert sent.last_detail(entries[0], EvidenceKind.NO_ANSWER)["code"] == "job_forgotten"
    assert sent.verdict(entries[0]) is InstanceVerdict.UNPROVEN
