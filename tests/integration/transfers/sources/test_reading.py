"""Instances of a source Orthanc, read as they are sent: from a real one, and from one that fails in the middle."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from audit.entries import ManifestEntry
from tests.datasets import data_set_bytes, write_instance, write_study
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Answer, Reply
from tests.peers.orthanc import Orthanc
from tests.peers.process import free_port
from tests.source_entries import stored_at
from transfers.endpoints import OrthancEndpoint, Timeouts
from transfers.errors import SourceError, SourceFileChanged, SourceInstanceGone, SourceStopped, SourceUnavailable
from transfers.sources import orthanc as module
from transfers.sources.base import InstanceReader
from transfers.sources.orthanc import OrthancReaders, OrthancSource

ID = "f689ddd2-662f8fd3-7f4b3fe3-5c7b0c8e-6ed3a2f1"
QUICK = Timeouts(connect_seconds=2, dimse_seconds=2, network_seconds=2)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAITS_SECONDS", (0.01, 0.01, 0.01))


def readers_of(url: str, stop: Event | None = None) -> OrthancReaders:
    return OrthancSource(OrthancEndpoint(url, timeouts=QUICK)).readers(stop or Event())


def read(reader: InstanceReader, at_once: int = 1000) -> bytes:
    """All of it, found unchanged."""
    content = b""
    buffer = memoryview(bytearray(at_once))
    while length := reader.readinto(buffer):
        content += bytes(buffer[:length])
    reader.check_unchanged()
    return content


def file_at(path: Path) -> ManifestEntry:
    """As a manifest of the source would have it."""
    content = path.read_bytes()
    (syntax,) = {DeflatedExplicitVRLittleEndian} if b"1.2.1.99" in content[:500] else {"1.2.840.10008.1.2.1"}
    return ManifestEntry(
        sop_instance_uid="1.2.3",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        study_instance_uid="1.2",
        series_instance_uid="1.2.4",
        transfer_syntax_uid=syntax,
        path="",
        member="",
        data_set_offset=0,
        data_set_size=len(content),
        modified_ns=0,
        file_size=len(content),
        source_id=ID,
        file_md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
    )


def handing_over(content: bytes, **faults: object) -> Answer:
    reply = replace(Reply(body=content, content_type="application/dicom"), **faults)  # type: ignore[arg-type]
    return lambda _: reply


@pytest.mark.parametrize("at_once", [7, 1000, 1 << 20])
def test_a_data_set_and_a_whole_file_come_byte_for_byte(source_orthanc: Orthanc, tmp_path: Path, at_once: int) -> None:
    paths = write_study(tmp_path, 2, size_bytes=2000)
    entries = stored_at(source_orthanc, paths)

    with readers_of(source_orthanc.url) as readers:
        for path, entry in zip(paths, entries, strict=True):
            with readers.open(entry) as reader:
                assert (reader.size, reader.data_set_offset) == (len(data_set_bytes(path)), 0)
                assert read(reader, at_once) == data_set_bytes(path)
            with readers.open_file(entry) as reader:
                content = path.read_bytes()
                assert (reader.size, content[reader.data_set_offset :]) == (len(content), data_set_bytes(path))
                assert read(reader, at_once) == content


def test_a_large_file_comes_in_pieces_that_are_not_kept(source_orthanc: Orthanc, tmp_path: Path) -> None:
    path = write_instance(tmp_path, size_bytes=5_000_000)
    (entry,) = stored_at(source_orthanc, [path])

    with readers_of(source_orthanc.url) as readers, readers.open(entry) as reader:
        reader.readinto(memoryview(bytearray(100)))
        assert len(reader._held) <= 256 * 1024


def test_a_deflated_data_set_stays_deflated(source_orthanc: Orthanc, tmp_path: Path) -> None:
    path = write_instance(tmp_path, transfer_syntax_uid=DeflatedExplicitVRLittleEndian)
    (entry,) = stored_at(source_orthanc, [path])

    with readers_of(source_orthanc.url) as readers, readers.open(entry) as reader:
        assert read(reader) == data_set_bytes(path)


def test_what_was_deleted_at_the_source_is_gone_and_the_rest_is_read(source_orthanc: Orthanc, tmp_path: Path) -> None:
    first, second = stored_at(source_orthanc, write_study(tmp_path, 2, size_bytes=500))
    source_orthanc.rest(f"/instances/{first.source_id}", method="DELETE")

    with readers_of(source_orthanc.url) as readers:
        with pytest.raises(SourceInstanceGone):
            readers.open(first)
        with readers.open(second) as reader:
            read(reader)


def test_other_bytes_of_the_same_length_under_the_same_id_are_noticed(tmp_path: Path) -> None:
    """As in an Orthanc with OverwriteInstances, to which the same instance was sent with other pixels."""
    settings = {"OverwriteInstances": True}
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    uids: Any = {"study_instance_uid": "1.2.7", "series_instance_uid": "1.2.8", "sop_instance_uid": "1.2.9"}
    old = write_instance(one, noise=1, size_bytes=500, **uids)
    new = write_instance(other, noise=2, size_bytes=500, **uids)
    with Orthanc(tmp_path / "overwriting", settings=settings) as peer:
        (entry,) = stored_at(peer, [old])
        stored_at(peer, [new])

        with readers_of(peer.url) as readers:
            for opened in (readers.open(entry), readers.open_file(entry)):
                with opened as reader, pytest.raises(SourceFileChanged):
                    read(reader)


@pytest.mark.parametrize("change", [b"", b"more"], ids=["shorter", "longer"])
def test_a_file_of_another_length_is_noticed_at_once(web: MakeWeb, tmp_path: Path, change: bytes) -> None:
    path = write_instance(tmp_path, size_bytes=500)
    content = path.read_bytes()
    changed = content + change if change else content[:-1]

    with readers_of(web(handing_over(changed)).url) as readers, pytest.raises(SourceFileChanged):
        readers.open(file_at(path))


def test_another_transfer_syntax_than_that_of_the_manifest_is_noticed_at_once(web: MakeWeb, tmp_path: Path) -> None:
    path = write_instance(tmp_path, size_bytes=500)
    entry = replace(file_at(path), transfer_syntax_uid="1.2.840.10008.1.2")

    with readers_of(web(handing_over(path.read_bytes())).url) as readers, pytest.raises(SourceFileChanged):
        readers.open_file(entry)


def test_what_is_no_part_10_file_is_noticed_at_once(web: MakeWeb, tmp_path: Path) -> None:
    entry = replace(file_at(write_instance(tmp_path, size_bytes=500)), data_set_size=2000, file_size=2000)

    with readers_of(web(handing_over(b"\0" * 2000)).url) as readers, pytest.raises(SourceFileChanged):
        readers.open(entry)


@pytest.mark.parametrize("cut_after", [0, 100, 200_000, 400_000])
def test_an_answer_that_is_cut_is_never_a_whole_instance(web: MakeWeb, tmp_path: Path, cut_after: int) -> None:
    path = write_instance(tmp_path, size_bytes=600_000)
    service = web(handing_over(path.read_bytes(), cut_after=cut_after))

    with readers_of(service.url) as readers, pytest.raises(SourceUnavailable), readers.open(file_at(path)) as reader:
        read(reader)


def test_a_source_that_was_away_for_a_moment_is_asked_again(web: MakeWeb, tmp_path: Path) -> None:
    path = write_instance(tmp_path, size_bytes=500)
    whole = Reply(body=path.read_bytes(), content_type="application/dicom")
    replies = [Reply(is_dropped=True), Reply(503), whole]
    service = web(lambda _: replies.pop(0))

    with readers_of(service.url) as readers, readers.open(file_at(path)) as reader:
        assert read(reader) == data_set_bytes(path)


def test_a_source_that_stays_away_is_given_up_after_a_few_instances(tmp_path: Path) -> None:
    entry = file_at(write_instance(tmp_path, size_bytes=500))

    with readers_of(f"http://127.0.0.1:{free_port()}") as readers:
        for _ in range(4):
            with pytest.raises(SourceUnavailable) as raised:
                readers.open(entry)
    assert raised.value.retriable
    assert readers._given_up is not None


def test_a_file_that_the_source_cannot_read_is_the_fault_of_that_one(web: MakeWeb, tmp_path: Path) -> None:
    entry = file_at(write_instance(tmp_path, size_bytes=500))
    service = web(lambda _: Reply(500))

    with readers_of(service.url) as readers:
        for _ in range(8):
            with pytest.raises(SourceUnavailable):
                readers.open(entry)
    assert len(service.asked) == 8


def test_wrong_credentials_are_not_tried_over_and_over(web: MakeWeb, tmp_path: Path) -> None:
    entry = file_at(write_instance(tmp_path, size_bytes=500))
    service = web(lambda _: Reply(401))

    with readers_of(service.url) as readers:
        for _ in range(50):
            with pytest.raises(SourceUnavailable, match="user name and password"):
                readers.open(entry)
    assert len(service.asked) == 6


def test_a_stop_ends_what_waits_for_the_source(web: MakeWeb, tmp_path: Path) -> None:
    path = write_instance(tmp_path, size_bytes=50_000)
    stop = Event()
    service = web(handing_over(path.read_bytes(), seconds_a_byte=0.01))
    Timer(0.3, stop.set).start()
    begun = time.monotonic()

    with readers_of(service.url, stop) as readers, pytest.raises(SourceStopped), readers.open(file_at(path)) as reader:
        read(reader)

    assert time.monotonic() - begun < 1.5


def test_nothing_is_asked_once_it_was_stopped(web: MakeWeb, tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    service = web(lambda _: Reply(500))

    with readers_of(service.url, stop) as readers, pytest.raises(SourceError) as raised:
        readers.open(file_at(write_instance(tmp_path, size_bytes=500)))

    assert (raised.value.code, service.asked) == ("stopped", [])


def test_before_its_end_nothing_is_said_of_an_instance_that_was_only_opened(
    source_orthanc: Orthanc, tmp_path: Path
) -> None:
    """As by whoever only looks whether it is still there."""
    (entry,) = stored_at(source_orthanc, [write_instance(tmp_path, size_bytes=500)])

    with readers_of(source_orthanc.url) as readers, readers.open_file(entry) as reader:
        reader.check_unchanged()
