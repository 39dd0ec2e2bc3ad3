"""What arrives is the data set as the file encodes it, byte for byte, in the transfer syntax that it is in."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    MRImageStorage,
    RLELossless,
)

from audit.observations import EvidenceKind
from tests.datasets import data_set_bytes, write_instance, write_study
from tests.entries import entries_of, entry_of
from tests.fakes.acts import Abort, Answer, Silence
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from tests.integration.transfers.methods.sending import SOON, send

TRANSFER_SYNTAXES = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEG2000Lossless,
    RLELossless,
    "1.2.840.10008.1.2.4.53",
]
ACKNOWLEDGED = [EvidenceKind.SENT, EvidenceKind.ACKNOWLEDGED]


def assert_arrived(peer: Archive, path: Path) -> None:
    entry = entry_of(path)
    expected = data_set_bytes(path)
    arrived = peer.stored[entry.sop_instance_uid]
    assert arrived.transfer_syntax_uid == entry.transfer_syntax_uid
    assert arrived.data_set == expected + b"\0" * (len(expected) % 2)


def test_every_transfer_syntax_goes_out_as_it_is(archive: MakeArchive, tmp_path: Path) -> None:
    paths = [write_instance(tmp_path, transfer_syntax_uid=syntax) for syntax in TRANSFER_SYNTAXES]
    peer = archive()

    sent = send(peer, entries_of(paths))

    for path in paths:
        assert sent.of(entry_of(path)) == ACKNOWLEDGED
        assert_arrived(peer, path)


def test_a_transfer_syntax_that_nobody_knows_goes_out_as_it_is(archive: MakeArchive, tmp_path: Path) -> None:
    path = write_instance(tmp_path)
    entry = replace(entry_of(path), transfer_syntax_uid="1.2.3.4.5.6")
    peer = archive()

    send(peer, [entry])

    (arrived,) = peer.stored.values()
    assert (arrived.transfer_syntax_uid, arrived.data_set) == ("1.2.3.4.5.6", data_set_bytes(path))


def test_several_sop_classes_share_an_association(archive: MakeArchive, tmp_path: Path) -> None:
    paths = [write_instance(tmp_path, sop_class_uid=uid) for uid in (CTImageStorage, MRImageStorage, "1.2.3.4")]
    peer = archive()

    send(peer, entries_of(paths))

    assert {holding.sop_class_uid for holding in peer.stored.values()} == {CTImageStorage, MRImageStorage, "1.2.3.4"}
    assert len(peer.log.associations) == 1


def test_more_than_128_contexts_are_split_over_associations(archive: MakeArchive, tmp_path: Path) -> None:
    paths = [write_instance(tmp_path, sop_class_uid=f"1.2.3.{number}", size_bytes=50) for number in range(130)]
    peer = archive()

    sent = send(peer, entries_of(paths))

    assert {seen.kind for seen in sent.observations} == set(ACKNOWLEDGED)
    assert len(peer.stored) == 130
    assert [len(record.proposals) for record in peer.log.associations] == [128, 4]


@pytest.mark.parametrize("maximum_length", [0, 8, 9, 100, 4096, 16384, 16383, 131072, 0x7FFFFFFF])
@pytest.mark.parametrize("size_bytes", [10, 16_000, 40_000])
def test_every_maximum_length_is_respected(
    archive: MakeArchive, tmp_path: Path, maximum_length: int, size_bytes: int
) -> None:
    path = write_instance(tmp_path, size_bytes=size_bytes)
    peer = archive(Script(maximum_length=maximum_length))

    sent = send(peer, [entry_of(path)])

    assert sent.of(entry_of(path)) == ACKNOWLEDGED
    assert_arrived(peer, path)
    assert not maximum_length or peer.log.associations[0].largest_fragment <= maximum_length


@pytest.mark.parametrize("maximum_length", [0, 4096, 16384])
@pytest.mark.parametrize("odd_length", [False, True], ids=["even", "odd"])
@pytest.mark.parametrize("size_bytes", [1_000, 5_000_000])
def test_a_deflated_data_set_is_padded_only_if_it_is_odd(
    archive: MakeArchive, tmp_path: Path, maximum_length: int, odd_length: bool, size_bytes: int
) -> None:
    path = write_instance(
        tmp_path, transfer_syntax_uid=DeflatedExplicitVRLittleEndian, odd_length=odd_length, size_bytes=size_bytes
    )
    if not odd_length:
        assert len(data_set_bytes(path)) % 2 == 0
    peer = archive(Script(maximum_length=maximum_length))

    sent = send(peer, [entry_of(path)])

    assert_arrived(peer, path)
    detail = sent.detail(entry_of(path), EvidenceKind.SENT)
    assert detail["sha256"] == hashlib.sha256(data_set_bytes(path)).hexdigest()
    assert detail["bytes"] == len(data_set_bytes(path))
    assert detail.get("padding") == (1 if odd_length else None)


@pytest.mark.parametrize("size_bytes", [1_046_000, 1_048_192, 1_048_576, 2_100_000, 9_000_001])
@pytest.mark.parametrize("maximum_length", [0, 16384])
def test_instances_around_and_beyond_the_buffer_arrive_whole(
    archive: MakeArchive, tmp_path: Path, size_bytes: int, maximum_length: int
) -> None:
    paths = write_study(tmp_path, 3, size_bytes=size_bytes)
    peer = archive(Script(maximum_length=maximum_length))

    sent = send(peer, entries_of(paths))

    for path in paths:
        assert_arrived(peer, path)
        expected = hashlib.sha256(data_set_bytes(path)).hexdigest()
        assert sent.detail(entry_of(path), EvidenceKind.SENT)["sha256"] == expected


def test_members_of_a_zip_file_arrive_like_files(archive: MakeArchive, tmp_path: Path) -> None:
    paths = write_study(tmp_path, 3, size_bytes=2_000_000)
    packed = tmp_path / "study.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zip_file:
        for path in paths:
            zip_file.write(path, path.name)
    found = packed.stat()
    entries = [
        replace(
            entry_of(path), path=str(packed), member=path.name, file_size=found.st_size, modified_ns=found.st_mtime_ns
        )
        for path in paths
    ]
    peer = archive()

    send(peer, entries)

    for path in paths:
        assert_arrived(peer, path)


def test_digests_stay_right_where_files_between_cannot_be_read(archive: MakeArchive, tmp_path: Path) -> None:
    paths = write_study(tmp_path, 12, size_bytes=300_000)
    entries = entries_of(paths)
    expected = {
        entry.sop_instance_uid: hashlib.sha256(data_set_bytes(path)).hexdigest()
        for entry, path in zip(entries, paths, strict=True)
    }
    for number, path in enumerate(paths):
        if number % 3:
            os.utime(path, ns=(1, 1))

    sent = send(archive(), entries)

    seen = {
        each.sop_instance_uid: each.detail["sha256"] for each in sent.observations if each.kind is EvidenceKind.SENT
    }
    assert seen == {entry.sop_instance_uid: expected[entry.sop_instance_uid] for entry in entries[::3]}


def test_a_file_that_changed_before_it_was_sent_is_not_sent(archive: MakeArchive, tmp_path: Path) -> None:
    paths = write_study(tmp_path, 3)
    entries = entries_of(paths)
    with paths[1].open("ab") as file:
        file.write(b"\0\0")
    peer = archive()

    sent = send(peer, entries)

    assert sent.of(entries[1]) == [EvidenceKind.NOT_SENT]
    assert sent.last(entries[1]).detail["code"] == "source_file_changed"
    assert len(peer.log.associations) == 1
    assert len(peer.stored) == 2


def test_a_file_that_vanished_is_not_sent(archive: MakeArchive, tmp_path: Path) -> None:
    paths = write_study(tmp_path, 3)
    entries = entries_of(paths)
    paths[0].unlink()

    sent = send(archive(), entries)

    assert sent.of(entries[0]) == [EvidenceKind.NOT_SENT]
    assert sent.last(entries[0]).detail["code"] == "source_file_unreadable"
    assert sent.of(entries[2]) == ACKNOWLEDGED


def test_a_file_that_changes_while_it_is_sent_never_arrives_whole(archive: MakeArchive, tmp_path: Path) -> None:
    paths = write_study(tmp_path, 3, size_bytes=20_000_000)  # more than the sockets of both sides can hold
    entries = entries_of(paths)
    changing = entries[1]

    def touch(request: object) -> None:
        if getattr(request, "sop_instance_uid", "") == changing.sop_instance_uid:
            os.utime(paths[1], ns=(1, 1))

    peer = archive(Script(on_store=touch))

    sent = send(peer, entries)

    assert sent.of(changing) == [EvidenceKind.NOT_SENT]
    assert sent.last(changing).detail["code"] == "source_file_changed"
    assert changing.sop_instance_uid not in peer.log.instances
    assert [sent.of(entries[0]), sent.of(entries[2])] == [ACKNOWLEDGED] * 2
    assert [record.ended for record in peer.log.associations] == ["aborted", "released"]


def test_an_answer_that_comes_while_a_large_instance_is_being_written_is_kept(
    archive: MakeArchive, tmp_path: Path
) -> None:
    entries = entries_of(write_study(tmp_path, 2, size_bytes=30_000_000))
    peer = archive(Script(on_store={1: Answer(0xA700, early=True)}))

    sent = send(peer, entries)

    assert sent.of(entries[0]) == [EvidenceKind.SENT, EvidenceKind.REFUSED]
    assert sent.of(entries[1]) == ACKNOWLEDGED
    assert sent.names() == ["association_opened", "association_released"]


def test_an_abort_is_seen_while_a_large_instance_is_being_written(archive: MakeArchive, tmp_path: Path) -> None:
    large = entry_of(write_instance(tmp_path, size_bytes=60_000_000))
    peer = archive(Script(on_store={1: Abort(source=2, reason=2, early=True)}))

    sent = send(peer, [large])

    assert sent.codes() == ["association_aborted"]
    assert sent.of(large) == [EvidenceKind.NO_ANSWER, *ACKNOWLEDGED]


def test_a_destination_that_stops_reading_is_noticed(archive: MakeArchive, tmp_path: Path) -> None:
    large = entry_of(write_instance(tmp_path, size_bytes=60_000_000))
    peer = archive(Script(on_store={1: Silence(early=True)}))

    sent = send(peer, [large], timeouts=SOON)

    assert sent.codes() == ["network_timed_out"]
    assert sent.of(large) == [EvidenceKind.NO_ANSWER, *ACKNOWLEDGED]
