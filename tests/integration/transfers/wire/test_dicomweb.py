"""The calls of DICOMweb: to a real Orthanc with its plug-in, and to services with other ideas of the standard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.datasets import write_instance, write_study
from tests.entries import entries_of, entry_of
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Asked, Reply, Web
from tests.fakes.web_archives import Quirk, always, element, qido
from tests.manifests import entry
from tests.peers.orthanc import Orthanc
from transfers.endpoints import DicomWebEndpoint
from transfers.errors import (
    AnswerCut,
    ListingEndless,
    MalformedAnswer,
    NotTheService,
    RequestError,
    RequestRefused,
    ResourceNotFound,
)
from transfers.wire import dicomweb
from transfers.wire.dicomweb import DicomWeb
from transfers.wire.dimse import ListBounds
from transfers.wire.http import HttpSession
from transfers.wire.identifiers import Row

STUDY, SERIES = "2.25.1", "2.25.1.0"
HELD = [entry(number) for number in range(1, 8)]
UIDS = [each.sop_instance_uid for each in HELD]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicomweb, "PAGE", 3)


def searched(service: Web, sop_instance_uid: str = "", bounds: ListBounds = ListBounds()) -> list[Row]:  # noqa: B008
    with HttpSession(DicomWebEndpoint(service.url)) as session:
        return list(DicomWeb(session).search_instances(STUDY, SERIES, sop_instance_uid, bounds))


def uids_of(rows: list[Row]) -> list[str]:
    return [row.sop_instance_uid for row in rows]


def test_a_list_is_read_to_its_end(web: MakeWeb) -> None:
    service = web(qido(HELD))

    rows = searched(service)

    assert rows[0] == Row(STUDY, SERIES, UIDS[0], HELD[0].sop_class_uid)
    assert uids_of(rows) == UIDS
    assert [asked.query["offset"] for asked in service.asked] == ["0", "7"]


@pytest.mark.parametrize("largest_page", [1, 2, 3, 10_000], ids=str)
@pytest.mark.parametrize("empty_status", [200, 204])
def test_a_service_that_caps_its_pages_is_asked_on(
    web: MakeWeb, small_pages: None, largest_page: int, empty_status: int
) -> None:
    assert uids_of(searched(web(qido(HELD, largest_page=largest_page, empty_status=empty_status)))) == UIDS


@pytest.mark.parametrize("largest_page", [3, 10_000], ids=["capped", "all"])
def test_a_service_that_answers_the_same_page_again_is_endless(web: MakeWeb, largest_page: int) -> None:
    service = web(qido(HELD, largest_page=largest_page, ignores_offset=True))

    with pytest.raises(ListingEndless):
        searched(service)

    assert len(service.asked) == 2


def test_a_service_that_always_has_more_is_endless(web: MakeWeb) -> None:
    def more(asked: Asked) -> Reply:
        rows = [{"00080018": element(f"2.25.9.{asked.query['offset']}.{number}")} for number in range(10)]
        return Reply(body=json.dumps(rows).encode())

    with pytest.raises(ListingEndless):
        searched(web(more), bounds=ListBounds(rows=50))


def test_one_that_is_found_is_not_asked_for_twice(web: MakeWeb) -> None:
    service = web(qido(HELD))

    assert uids_of(searched(service, UIDS[2])) == [UIDS[2]]
    assert len(service.asked) == 1


def test_one_that_is_not_there_is_an_empty_list(web: MakeWeb) -> None:
    assert searched(web(qido(HELD)), "2.25.99") == []


def test_a_series_that_the_path_does_not_lead_to_is_searched_for(web: MakeWeb) -> None:
    holds_nothing = qido([])
    service = web(lambda asked: holds_nothing(asked) if asked.path == "/instances" else Reply(404))

    assert searched(service) == []
    assert service.asked[-1].query["StudyInstanceUID"] == STUDY
    assert service.asked[-1].query["SeriesInstanceUID"] == SERIES


def test_where_nothing_is_found_at_all_there_is_no_list(web: MakeWeb) -> None:
    with pytest.raises(ResourceNotFound):
        searched(web(always(Reply(404))))


@pytest.mark.parametrize(
    "names", [{"includefield"}, {"limit"}, {"limit", "includefield"}], ids=lambda names: " ".join(sorted(names))
)
def test_what_a_service_refuses_to_be_told_is_left_out(web: MakeWeb, names: set[str]) -> None:
    right = qido(HELD, largest_page=4)
    service = web(lambda asked: Reply(400) if names & set(asked.query) else right(asked))

    assert uids_of(searched(service)) == UIDS
    assert len(service.asked) <= 5


def test_a_service_that_refuses_every_search_is_not_asked_for_ever(web: MakeWeb) -> None:
    service = web(always(Reply(400)))

    with pytest.raises(RequestRefused):
        searched(service)

    assert len(service.asked) == 3


def without_place(asked: Asked, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{tag: value for tag, value in row.items() if not tag.startswith("0020")} for row in rows]


def with_values(value: object) -> Quirk:
    return lambda _, rows: [row | {"00080018": {"vr": "UI", "Value": [value]}} for row in rows[:1]]


@pytest.mark.parametrize(
    ("quirk", "row"),
    [
        (without_place, Row("", "", UIDS[0], HELD[0].sop_class_uid)),
        (with_values(None), Row(STUDY, SERIES, "", HELD[0].sop_class_uid)),
        (with_values("1.2*"), Row(STUDY, SERIES, "'1.2*'", HELD[0].sop_class_uid)),
        (with_values("\ud800\x1b"), Row(STUDY, SERIES, "'\\\\ud800\\x1b'", HELD[0].sop_class_uid)),
    ],
    ids=["place", "value", "wildcard", "control"],
)
def test_rows_are_read_whatever_they_lack(web: MakeWeb, quirk: Quirk, row: Row) -> None:
    assert searched(web(qido(HELD[:1], quirk=quirk))) == [row]


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[1]", b"[null]", b'[{"00080018": 1}]', b'[{"00080018": {"Value": 1}}]', b'"a"', b"null", b"[[]]"],
    ids=bytes.decode,
)
def test_what_is_no_list_is_malformed(web: MakeWeb, body: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        searched(web(always(Reply(body=body))))


def test_whose_an_instance_is_tells_copies_apart_and_is_not_kept(web: MakeWeb) -> None:
    patients = iter(["ONE", "OTHER"])

    def quirk(asked: Asked, rows: list[dict[str, object]]) -> list[dict[str, object]]:
        return [row | {"00100020": {"vr": "LO", "Value": [patient]}} for row in rows for patient in patients]

    rows = searched(web(qido(HELD[:1], quirk=quirk)))

    assert len({row.copy_id for row in rows}) == 2
    assert "ONE" not in repr(rows)


def test_series_are_counted(web: MakeWeb) -> None:
    service = web(qido(HELD))

    with HttpSession(DicomWebEndpoint(service.url)) as session:
        rows = list(DicomWeb(session).search_series(STUDY))

    assert rows == [Row(STUDY, SERIES, "", "", 7)]


# One instance


def multipart(content: bytes, boundary: str = "b") -> Reply:
    body = (
        f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + content + f"\r\n--{boundary}--".encode()
    )
    return Reply(body=body, content_type=f'multipart/related; type="application/dicom"; boundary={boundary}')


def retrieved(service: Web) -> bytes:
    with (
        HttpSession(DicomWebEndpoint(service.url)) as session,
        DicomWeb(session).open_instance("1", "2", "3") as chunks,
    ):
        return b"".join(chunks)


def test_an_instance_is_retrieved_as_it_is_stored(web: MakeWeb) -> None:
    service = web(always(multipart(b"DICM" * 100_000)))

    assert retrieved(service) == b"DICM" * 100_000
    assert service.paths() == ["/studies/1/series/2/instances/3"]
    assert "transfer-syntax=*" in service.asked[0].headers["Accept"]


def test_an_instance_that_comes_bare_is_read_too(web: MakeWeb) -> None:
    assert retrieved(web(always(Reply(body=b"DICM", content_type="application/dicom")))) == b"DICM"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(404), ResourceNotFound),
        (Reply(406), RequestRefused),
        (Reply(body=b"{}"), NotTheService),
        (Reply(body=b"<a>", content_type="text/html"), NotTheService),
        (Reply(body=b"x", content_type="multipart/related"), MalformedAnswer),
        (Reply(body=b"DICM", content_type="application/dicom", says_its_length=False), MalformedAnswer),
        (Reply(body=b"DICM", content_type="application/dicom", cut_after=2), AnswerCut),
    ],
    ids=["missing", "406", "json", "page", "no boundary", "no length", "cut"],
)
def test_what_is_no_whole_instance_is_an_error(web: MakeWeb, reply: Reply, error: type[RequestError]) -> None:
    with pytest.raises(error):
        retrieved(web(always(reply)))


@pytest.mark.parametrize("says_its_length", [True, False])
def test_an_instance_that_was_cut_is_noticed(web: MakeWeb, says_its_length: bool) -> None:
    whole = multipart(b"x" * 1000)
    cut = Reply(body=whole.body, content_type=whole.content_type, cut_after=500, says_its_length=says_its_length)

    with pytest.raises(AnswerCut):
        retrieved(web(always(cut)))


@pytest.mark.parametrize(("status", "was_there"), [(200, True), (204, True), (404, False)])
def test_an_instance_is_deleted(web: MakeWeb, status: int, was_there: bool) -> None:
    service = web(always(Reply(status)))

    with HttpSession(DicomWebEndpoint(service.url)) as session:
        assert DicomWeb(session).delete_instance("1", "2", "3") is was_there

    assert [(asked.method, asked.path) for asked in service.asked] == [("DELETE", "/studies/1/series/2/instances/3")]


# A real one


@pytest.fixture
def orthanc(web_orthanc: Orthanc) -> Iterator[DicomWeb]:
    with HttpSession(DicomWebEndpoint(web_orthanc.dicom_web_url)) as session:
        yield DicomWeb(session)


def store(peer: Orthanc, *paths: Path) -> None:
    with HttpSession(DicomWebEndpoint(peer.url)) as session:
        for path in paths:
            with session.open("POST", "/instances", body=path.read_bytes()):
                pass


def test_orthanc_lists_a_series_page_by_page(
    web_orthanc: Orthanc, orthanc: DicomWeb, small_pages: None, tmp_path: Path
) -> None:
    paths = write_study(tmp_path, instances=8, size_bytes=64)
    store(web_orthanc, *paths)
    entries = entries_of(paths)
    place = entries[0].study_instance_uid, entries[0].series_instance_uid

    rows = list(orthanc.search_instances(*place))

    assert {row[:4] for row in rows} == {(*place, each.sop_instance_uid, each.sop_class_uid) for each in entries}
    assert [row[:4] for row in orthanc.search_instances(*place, entries[3].sop_instance_uid)] == [
        (*place, entries[3].sop_instance_uid, entries[3].sop_class_uid)
    ]
    assert [row.series_related_instances for row in orthanc.search_series(place[0])] == [8]
    assert list(orthanc.search_instances("2.25.7.7", "2.25.7.8")) == []


def test_orthanc_gives_an_instance_back_as_it_was_put_there(
    web_orthanc: Orthanc, orthanc: DicomWeb, tmp_path: Path
) -> None:
    path = write_instance(tmp_path, size_bytes=600_000)
    store(web_orthanc, path)
    entry = entry_of(path)

    with orthanc.open_instance(entry.study_instance_uid, entry.series_instance_uid, entry.sop_instance_uid) as chunks:
        assert b"".join(chunks) == path.read_bytes()


def test_orthanc_deletes_nothing_over_dicomweb(orthanc: DicomWeb) -> None:
    with pytest.raises(RequestRefused) as caught:
        orthanc.delete_instance("1", "2", "3")

    assert caught.value.status_code == 405
