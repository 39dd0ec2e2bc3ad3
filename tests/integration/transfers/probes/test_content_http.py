"""Content by Orthanc's REST API and by WADO-RS from scripted services: whatever they answer, no more is concluded."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.entries import ManifestEntry
from audit.observations import Observation
from tests.datasets import write_study
from tests.entries import entries_of
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Answer, Asked, Reply, Web
from tests.fakes.web_archives import orthanc as orthanc_lists
from tests.integration.transfers.probes.comparing import (
    DIFFERENT,
    FAILED,
    IDENTICAL,
    TIMEOUTS,
    UNREADABLE,
    compared,
    digests_of,
)
from transfers.endpoints import DicomWebEndpoint, Endpoint, OrthancEndpoint
from transfers.probes.content import ContentContext, can_read, compare_content

READERS = pytest.mark.parametrize("reader", ["orthanc", "wado-rs"])
BOUNDARY = "between-parts"
MULTIPART = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
Study = list[ManifestEntry]
Files = Callable[[ManifestEntry], Reply]
"""What is answered when the file of an instance is asked for."""


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return entries_of(write_study(tmp_path, instances=4, series=2, size_bytes=20_000))


def file_of(entry: ManifestEntry) -> bytes:
    return Path(entry.path).read_bytes()


def right(entry: ManifestEntry) -> Reply:
    return Reply(body=file_of(entry), content_type="application/dicom")


def orthanc_of(study: Study, files: Files = right, *, verified: int = 200) -> Answer:
    """An Orthanc whose index knows these files; `verified`: what it answers when asked to take the MD5 anew."""
    lists = orthanc_lists(study)

    def answer(asked: Asked) -> Reply:
        folders = asked.path.strip("/").split("/")
        if folders[0] != "instances" or len(folders) < 3:
            return lists(asked)
        (entry,) = (each for each in study if folders[1] == orthanc_id_of(study, each))
        if folders[2] == "file":
            return files(entry)
        if folders[-1] == "md5":
            digest = hashlib.md5(file_of(entry), usedforsecurity=False).hexdigest()
            return Reply(body=digest.encode(), content_type="text/plain")
        return Reply(verified, b"{}", "application/json")

    return answer


def orthanc_id_of(study: Study, entry: ManifestEntry) -> str:
    asked = Asked("POST", "/tools/lookup", {}, {}, entry.sop_instance_uid.encode())
    return str(json.loads(orthanc_lists(study)(asked).body)[0]["ID"])


def wado_of(study: Study, files: Files = right) -> Answer:
    def answer(asked: Asked) -> Reply:
        uid = asked.path.rsplit("/", 1)[-1]
        found = [entry for entry in study if entry.sop_instance_uid == uid]
        return as_part(files(found[0])) if found else Reply(404)

    return answer


def as_part(reply: Reply) -> Reply:
    """The reply as the one part of a multipart answer, where it is a file."""
    if reply.status != 200 or reply.content_type != "application/dicom":
        return reply
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = head + reply.body + f"\r\n--{BOUNDARY}--\r\n".encode()
    return Reply(body=body, content_type=MULTIPART, cut_after=reply.cut_after, seconds_a_byte=reply.seconds_a_byte)


def service(web: MakeWeb, reader: str, study: Study, files: Files = right) -> tuple[Web, Endpoint]:
    if reader == "orthanc":
        peer = web(orthanc_of(study, files))
        return peer, OrthancEndpoint(peer.url, timeouts=TIMEOUTS)
    peer = web(wado_of(study, files))
    return peer, DicomWebEndpoint(peer.url, timeouts=TIMEOUTS)


def but(entry: ManifestEntry, reply: Reply) -> Files:
    """This reply for one, and what is right for the others."""
    return lambda asked: reply if asked is entry else right(asked)


@READERS
def test_what_comes_back_byte_for_byte_is_identical(web: MakeWeb, study: Study, reader: str) -> None:
    _, endpoint = service(web, reader, study)

    assert compared(study, endpoint).kinds == [IDENTICAL] * 4


@READERS
@pytest.mark.parametrize(
    ("reply", "codes"),
    [
        (Reply(503, b"busy"), {"service_busy"}),
        (Reply(500, b"broken"), {"service_failed"}),
        (Reply(404), {"not_found"}),
        (Reply(body=b"<html>log in</html>", content_type="text/html"), {"not_the_service"}),
        (Reply(body=b"\0" * 500, content_type="application/dicom"), {"no_data_set"}),
        (Reply(body=b"", content_type="application/dicom"), {"no_data_set"}),
        (Reply(is_dropped=True), {"answer_cut"}),
    ],
    ids=["busy", "broken", "not there", "a page", "zeros", "nothing", "dropped"],
)
def test_what_is_no_instance_proves_nothing_and_spoils_no_other(
    web: MakeWeb, study: Study, reader: str, reply: Reply, codes: set[str]
) -> None:
    _, endpoint = service(web, reader, study, but(study[1], reply))

    found = compared(study, endpoint)

    assert found.kinds[1] in {FAILED, UNREADABLE}
    assert [*found.kinds[:1], *found.kinds[2:]] == [IDENTICAL] * 3
    assert found.codes[1] in codes


@READERS
def test_a_file_that_is_cut_proves_nothing(web: MakeWeb, study: Study, reader: str) -> None:
    cut = Reply(body=file_of(study[1]), content_type="application/dicom", cut_after=9_000)
    _, endpoint = service(web, reader, study, but(study[1], cut))

    found = compared(study, endpoint)

    assert found.kinds == [IDENTICAL, FAILED, IDENTICAL, IDENTICAL]
    assert found.codes[1] == "answer_cut"


@READERS
def test_a_file_that_is_cut_on_the_archives_side_is_not_identical(web: MakeWeb, study: Study, reader: str) -> None:
    shorter = Reply(body=file_of(study[1])[:-100], content_type="application/dicom")
    _, endpoint = service(web, reader, study, but(study[1], shorter))

    found = compared(study, endpoint)

    assert found.kinds[1] in {FAILED, DIFFERENT}
    assert found.kinds[2:] == [IDENTICAL, IDENTICAL]


@READERS
def test_another_instance_is_different(web: MakeWeb, study: Study, reader: str) -> None:
    _, endpoint = service(web, reader, study, but(study[1], right(study[0])))

    found = compared(study, endpoint)

    assert found.kinds == [IDENTICAL, DIFFERENT, IDENTICAL, IDENTICAL]
    assert "(0008,0018)" in found.details[1]["elements"]


@READERS
def test_more_than_an_instance_can_have_is_not_read_to_its_end(web: MakeWeb, study: Study, reader: str) -> None:
    huge = Reply(body=file_of(study[1]) + bytes(20_000_000), content_type="application/dicom")
    _, endpoint = service(web, reader, study, but(study[1], huge))

    found = compared(study, endpoint)

    assert found.kinds == [IDENTICAL, FAILED, IDENTICAL, IDENTICAL]
    assert found.codes[1] == "instance_too_large"


@READERS
def test_who_does_not_let_us_in_is_not_asked_again(web: MakeWeb, study: Study, reader: str) -> None:
    peer, endpoint = service(web, reader, study)
    peer.answer = lambda _: Reply(401)

    found = compared(study, endpoint, side_by_side=1, retry_seconds=30)

    assert set(found.codes) == {"credentials_refused"}
    assert len(peer.asked) == 1


@READERS
def test_a_service_that_is_busy_is_asked_again(web: MakeWeb, study: Study, reader: str) -> None:
    peer, endpoint = service(web, reader, study)
    answer, busy = peer.answer, [True]
    peer.answer = lambda asked: Reply(503, headers={"Retry-After": "1"}) if busy.pop() else answer(asked)
    busy[:0] = [False] * 1000

    assert compared(study, endpoint, retry_seconds=30).kinds == [IDENTICAL] * 4


@READERS
def test_a_stop_ends_a_file_that_trickles(web: MakeWeb, study: Study, reader: str) -> None:
    slow = Reply(body=file_of(study[0]), content_type="application/dicom", seconds_a_byte=0.05)
    _, endpoint = service(web, reader, study, lambda _: slow)
    stop = threading.Event()
    seen: list[Observation] = []
    stopped_at = 0.0

    for each in compare_content(study, ContentContext(endpoint, digests_of(study), stop=stop)):
        if isinstance(each, Observation):
            seen.append(each)
        if not stopped_at and each is None:
            stop.set()
            stopped_at = time.monotonic()

    assert time.monotonic() - stopped_at < 1.5
    assert {(observation.kind, observation.detail["code"]) for observation in seen} == {(FAILED, "stopped")}
    assert len(seen) == 4


@READERS
def test_a_service_that_is_not_there_cannot_be_read(study: Study, reader: str) -> None:
    url = "http://127.0.0.1:1"
    endpoint: Endpoint = DicomWebEndpoint(url) if reader == "wado-rs" else OrthancEndpoint(url)

    readability = can_read(study, ContentContext(endpoint))

    assert not readability.is_readable
    assert readability.error is not None
    assert readability.error.code == "service_unreachable"
    assert set(compared(study, endpoint).codes) == {"service_unreachable"}


class TestDigests:
    def test_the_index_alone_proves_nothing(self, web: MakeWeb, study: Study) -> None:
        """The MD5 is right, but the file that it is of cannot be read any more."""
        peer = web(orthanc_of(study, lambda _: Reply(500), verified=500))

        found = compared(study, OrthancEndpoint(peer.url, timeouts=TIMEOUTS), keeps_bytes=True)

        assert found.kinds == [UNREADABLE] * 4
        assert set(found.codes) == {"service_failed"}

    def test_a_corrupt_file_is_not_identical_whatever_is_handed_out(self, web: MakeWeb, study: Study) -> None:
        peer = web(orthanc_of(study, verified=400))

        found = compared(study, OrthancEndpoint(peer.url, timeouts=TIMEOUTS), keeps_bytes=True)

        assert found.kinds == [UNREADABLE] * 4
        assert set(found.codes) == {"file_corrupt"}

    def test_the_digest_is_not_asked_for_where_files_are_written_anew(self, web: MakeWeb, study: Study) -> None:
        peer = web(orthanc_of(study))

        compared(study, OrthancEndpoint(peer.url, timeouts=TIMEOUTS))

        assert not [path for path in peer.paths() if "md5" in path]
