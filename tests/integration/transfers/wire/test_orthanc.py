"""The calls of Orthanc's REST API, to a real one."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import md5
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from audit.entries import ManifestEntry
from tests.datasets import unique_uid, write_instance, write_study
from tests.entries import entries_of, entry_of
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Reply
from tests.fakes.web_archives import always
from tests.peers.orthanc import Orthanc as Peer
from transfers.endpoints import OrthancEndpoint
from transfers.errors import CredentialsRefused, MalformedAnswer, NotTheService, ResourceNotFound
from transfers.wire.http import HttpSession
from transfers.wire.orthanc import FileState, Orthanc, tag_of
from transfers.wire.removal import remove_instances

UNKNOWN_ID = "00000000-00000000-00000000-00000000-00000000"


@pytest.fixture
def orthanc(web_orthanc: Peer) -> Iterator[Orthanc]:
    with HttpSession(OrthancEndpoint(web_orthanc.url)) as session:
        yield Orthanc(session)


def stored(orthanc: Orthanc, *paths: Path) -> list[str]:
    """Put the files there as they are; their Orthanc IDs."""
    found = []
    for path in paths:
        with orthanc.session.open("POST", "/instances", body=path.read_bytes()) as answer:
            found.append(answer.json()["ID"])
    return found


def test_it_says_who_it_is(orthanc: Orthanc) -> None:
    assert str(orthanc.system()["Version"]).startswith("1.")
    assert "dicom-web" in orthanc.plugins()


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"Version": 1}'])
def test_what_is_no_orthanc_is_noticed(web: MakeWeb, body: bytes) -> None:
    service = web(always(Reply(body=body)))

    with HttpSession(OrthancEndpoint(service.url)) as session, pytest.raises(NotTheService):
        Orthanc(session).system()


def test_what_it_holds_is_found(orthanc: Orthanc, tmp_path: Path) -> None:
    paths = write_study(tmp_path, instances=4, series=2, size_bytes=64)
    entries = entries_of(paths)
    ids = stored(orthanc, *paths)

    series = orthanc.find("Series", {"StudyInstanceUID": entries[0].study_instance_uid})

    assert {tag_of(each, "SeriesInstanceUID") for each in series} == {each.series_instance_uid for each in entries}
    listed = [each["ID"] for some in series for each in orthanc.instances_of_series(some["ID"])]
    assert sorted(listed) == sorted(ids)
    assert orthanc.find_ids("Instance", {"SOPInstanceUID": entries[1].sop_instance_uid}) == [ids[1]]


def test_copies_under_two_patients_are_told_apart(orthanc: Orthanc, tmp_path: Path) -> None:
    uids = {"sop_instance_uid": "2.25.81", "series_instance_uid": "2.25.82", "study_instance_uid": "2.25.83"}
    ids = stored(
        orthanc,
        write_instance(tmp_path, **uids, patient_id="ONE", name="one.dcm"),  # type: ignore[arg-type]
        write_instance(tmp_path, **uids, patient_id="OTHER", name="other.dcm"),  # type: ignore[arg-type]
    )

    assert sorted(orthanc.instances_of("2.25.81")) == sorted(ids)
    assert orthanc.instances_of("2.25.84") == ()


@pytest.fixture
def instance(orthanc: Orthanc, tmp_path: Path) -> tuple[ManifestEntry, str]:
    """One that is stored, and its Orthanc ID."""
    path = write_instance(tmp_path, size_bytes=300_000)
    return entry_of(path), stored(orthanc, path)[0]


def test_a_file_comes_back_as_it_was_put_there(orthanc: Orthanc, instance: tuple[ManifestEntry, str]) -> None:
    entry, orthanc_id = instance

    with orthanc.open_file(orthanc_id) as answer:
        content = b"".join(answer.chunks(1000))

    assert content == Path(entry.path).read_bytes()


def test_the_digest_is_that_of_the_file(orthanc: Orthanc, instance: tuple[ManifestEntry, str]) -> None:
    entry, orthanc_id = instance

    digest = orthanc.attachment_md5(orthanc_id)

    assert digest == md5(Path(entry.path).read_bytes()).hexdigest()  # noqa: S324 as Orthanc does
    assert orthanc.verify_md5(orthanc_id) is FileState.INTACT


def test_a_file_that_was_changed_or_removed_on_disk_is_noticed(tmp_path: Path) -> None:
    with Peer(tmp_path / "orthanc") as peer, HttpSession(OrthancEndpoint(peer.url)) as session:
        orthanc = Orthanc(session)
        (orthanc_id,) = stored(orthanc, write_instance(tmp_path))
        uuid = orthanc.find("Instance", {"SOPInstanceUID": ""})[0]["FileUuid"]
        file = tmp_path / "orthanc" / "storage" / uuid[:2] / uuid[2:4] / uuid
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        restart(peer)

        assert orthanc.verify_md5(orthanc_id) is FileState.CORRUPT

        file.unlink()
        restart(peer)
        assert orthanc.verify_md5(orthanc_id) is FileState.UNREADABLE


def restart(peer: Peer) -> None:
    """It has files in a cache, and compares what is there."""
    peer.kill()
    peer.start()


def test_an_instance_is_deleted_once(orthanc: Orthanc, instance: tuple[ManifestEntry, str]) -> None:
    entry, orthanc_id = instance

    assert orthanc.delete_instance(orthanc_id)
    assert not orthanc.delete_instance(orthanc_id)
    assert orthanc.instances_of(entry.sop_instance_uid) == ()


def test_a_uid_with_other_letters_is_another_and_stays_where_it_is(web_orthanc: Peer, tmp_path: Path) -> None:
    """Orthanc's own search takes upper and lower case for the same."""
    uids: dict[str, Any] = {"study_instance_uid": unique_uid(), "series_instance_uid": unique_uid()}
    small, large = (
        write_instance(tmp_path, sop_instance_uid=f"2.25.77.{letter}", size_bytes=64, **uids) for letter in "aA"
    )
    endpoint = OrthancEndpoint(web_orthanc.url)
    with HttpSession(endpoint) as session:
        stored(Orthanc(session), small)

    (removal,) = remove_instances(endpoint, [entry_of(large)], Event())

    assert (removal.was_there, removal.error) == (False, None)
    assert "2.25.77.a" in web_orthanc.instances()


def test_what_is_not_there_is_not_found(orthanc: Orthanc) -> None:
    with pytest.raises(ResourceNotFound):
        orthanc.resource("Instance", UNKNOWN_ID)
    with pytest.raises(ResourceNotFound):
        orthanc.attachment_md5(UNKNOWN_ID)
    with pytest.raises(ResourceNotFound):
        orthanc.verify_md5(UNKNOWN_ID)


@pytest.mark.parametrize("orthanc_id", ["", "../system", "00000000", UNKNOWN_ID + "/file"])
def test_what_is_no_orthanc_id_is_not_asked_for(orthanc: Orthanc, orthanc_id: str) -> None:
    with pytest.raises(MalformedAnswer):
        orthanc.delete_instance(orthanc_id)


def test_changes_are_read_from_where_they_were_left(orthanc: Orthanc, tmp_path: Path) -> None:
    since = orthanc.last_change()
    (orthanc_id,) = stored(orthanc, write_instance(tmp_path))

    first = orthanc.changes(since, limit=1)
    rest = orthanc.changes(first.last, limit=2)

    assert [(each.change_type, each.orthanc_id) for each in first.changes] == [("NewInstance", orthanc_id)]
    assert not first.is_done
    assert [each.change_type for each in rest.changes] == ["NewSeries", "NewStudy"]
    assert orthanc.changes(orthanc.last_change()).is_done


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"Changes": [{}], "Last": 1, "Done": true}',
        b'{"Changes": [], "Last": "x"}',
        b'{"Changes": [], "Last": 1e999}',
    ],
)
def test_changes_that_cannot_be_read_are_malformed(web: MakeWeb, body: bytes) -> None:
    service = web(always(Reply(body=body)))

    with HttpSession(OrthancEndpoint(service.url)) as session, pytest.raises(MalformedAnswer):
        Orthanc(session).changes(0)


def test_it_wants_to_know_who_asks(tmp_path: Path) -> None:
    with Peer(tmp_path / "orthanc", users={"carol": "s3cret"}) as peer:
        with HttpSession(OrthancEndpoint(peer.url, "carol", "s3cret")) as session:
            assert Orthanc(session).system()["Version"]

        wrong = OrthancEndpoint(peer.url, "carol", "wrong")
        with HttpSession(wrong) as session, pytest.raises(CredentialsRefused):
            Orthanc(session).system()
