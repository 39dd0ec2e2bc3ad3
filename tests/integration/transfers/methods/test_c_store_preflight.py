"""Preflight says what the destination would not take, in words that its admin understands, and sends nothing."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Timer

import pytest
from pydicom.uid import JPEG2000Lossless, MRImageStorage

from audit.entries import ManifestEntry
from tests.datasets import write_instance
from tests.entries import entry_of
from tests.fakes.acts import Reject, Silence
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from tests.integration.transfers.methods.sending import POLICY, SOON
from transfers.errors import AssociationInterrupted, AssociationRejected, AssociationTimedOut, ConnectionFailed
from transfers.methods.base import Preflight, SendContext
from transfers.methods.c_store import CStore


def preflight(peer: Archive, entries: list[ManifestEntry]) -> Preflight:
    return CStore().preflight(entries, SendContext(peer.endpoint(timeouts=SOON), POLICY))


@pytest.fixture
def mixed(tmp_path: Path) -> list[ManifestEntry]:
    """A CT slice, an MR slice and a compressed CT slice."""
    return [
        entry_of(write_instance(tmp_path)),
        entry_of(write_instance(tmp_path, sop_class_uid=MRImageStorage)),
        entry_of(write_instance(tmp_path, transfer_syntax_uid=JPEG2000Lossless)),
    ]


def test_an_archive_that_takes_everything_leaves_nothing_out(archive: MakeArchive, mixed: list[ManifestEntry]) -> None:
    peer = archive()

    result = preflight(peer, mixed)

    assert result.unsendable == {}
    assert [seen.name for seen in result.occurrences] == ["preflight_association"]
    assert peer.log.requests == []
    assert [record.ended for record in peer.log.associations] == ["released"]


def test_a_sop_class_that_is_not_taken_is_named(archive: MakeArchive, mixed: list[ManifestEntry]) -> None:
    peer = archive(Script(without_sop_classes=[MRImageStorage]))

    result = preflight(peer, mixed)

    assert result.unsendable.keys() == {mixed[1].sop_instance_uid}
    reason = result.unsendable[mixed[1].sop_instance_uid]
    assert reason.startswith("MR Image Storage in Explicit VR Little Endian is not accepted by the destination: ")
    assert "the SOP class is not supported there (result 3)" in reason


def test_a_transfer_syntax_that_is_not_taken_is_named(archive: MakeArchive, mixed: list[ManifestEntry]) -> None:
    peer = archive(Script(transfer_syntaxes=["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"]))

    result = preflight(peer, mixed)

    assert result.unsendable.keys() == {mixed[2].sop_instance_uid}
    assert (
        "CT Image Storage in JPEG 2000 Image Compression (Lossless Only)"
        in result.unsendable[mixed[2].sop_instance_uid]
    )


def test_more_encodings_than_contexts_are_asked_about_one_association_after_the_other(
    archive: MakeArchive, tmp_path: Path
) -> None:
    entries = [
        entry_of(write_instance(tmp_path, sop_class_uid=f"1.2.3.{number}", size_bytes=9)) for number in range(129)
    ]
    peer = archive(Script(without_sop_classes=[f"1.2.3.{number}" for number in (1, 128)], associations_at_once=1))

    result = preflight(peer, entries)

    assert result.unsendable.keys() == {entries[1].sop_instance_uid, entries[128].sop_instance_uid}
    assert len(peer.log.associations) == 2


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (Script(on_association=Reject(1, 1, 7)), AssociationRejected),
        (Script(on_association=Silence()), AssociationTimedOut),
    ],
    ids=["rejected", "silent"],
)
def test_a_destination_that_cannot_be_asked_is_an_error(
    archive: MakeArchive, mixed: list[ManifestEntry], script: Script, error: type[Exception]
) -> None:
    peer = archive(script)

    with pytest.raises(error):
        preflight(peer, mixed)


def test_a_stop_ends_the_asking(archive: MakeArchive, mixed: list[ManifestEntry]) -> None:
    peer = archive(Script(on_association=Silence()))
    stop = Event()
    timer = Timer(0.1, stop.set)
    timer.start()
    began = time.monotonic()

    with pytest.raises(AssociationInterrupted):
        CStore().preflight(mixed, SendContext(peer.endpoint(), POLICY, stop=stop))

    assert time.monotonic() - began < 3
    timer.join()


def test_a_destination_that_is_down_is_an_error(archive: MakeArchive, mixed: list[ManifestEntry]) -> None:
    peer = archive()
    peer.die()

    with pytest.raises(ConnectionFailed):
        preflight(peer, mixed)
