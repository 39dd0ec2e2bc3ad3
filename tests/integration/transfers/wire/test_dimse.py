"""C-ECHO and C-FIND over an association, and what ends a list."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from audit.entries import ManifestEntry
from tests.datasets import write_study
from tests.entries import entries_of
from tests.fakes.acts import Act, Answer, Close, Silence
from tests.fakes.archive import Archive
from tests.fakes.finding import STUDY_ROOT_FIND
from tests.fakes.fixtures import MakeArchive
from tests.fakes.rows import endless
from tests.fakes.script import FindRequest, Script
from tests.fakes.script import Row as ScriptedRow
from transfers.endpoints import Timeouts
from transfers.errors import (
    AnswerTimedOut,
    AssociationLost,
    ListingEndless,
    ListingFailed,
    ListingRefused,
    NoPresentationContext,
    UnexpectedAnswer,
)
from transfers.wire.association import Association
from transfers.wire.dimse import FIND_CONTEXT, VERIFICATION_CONTEXT, ListBounds, echo, find
from transfers.wire.identifiers import Level, Query, Row

TIMEOUTS = Timeouts(acse_seconds=5, dimse_seconds=1, network_seconds=5)
C_STORE_RSP = 0x8001


@pytest.fixture
def study(tmp_path: Path) -> list[ManifestEntry]:
    """Four instances in one series."""
    return entries_of(write_study(tmp_path, instances=4, size_bytes=64))


def holding(archive: MakeArchive, study: list[ManifestEntry], script: Script | None = None) -> Archive:
    peer = archive(script)
    peer.hold(*(Path(entry.path) for entry in study))
    return peer


def opened(peer: Archive) -> Association:
    return Association.open(peer.endpoint(timeouts=TIMEOUTS), [VERIFICATION_CONTEXT, FIND_CONTEXT])


def series_of(study: list[ManifestEntry]) -> Query:
    return Query(study[0].study_instance_uid, study[0].series_instance_uid)


@pytest.mark.parametrize("status_code", [0x0000, 0x0122])
def test_an_echo_gives_the_status(archive: MakeArchive, status_code: int) -> None:
    peer = archive(Script(on_echo=Answer(status_code)))

    with opened(peer) as association:
        assert echo(association) == status_code


def test_an_echo_that_is_not_offered(archive: MakeArchive) -> None:
    peer = archive(Script(without_sop_classes=["1.2.840.10008.1.1"]))

    with opened(peer) as association, pytest.raises(NoPresentationContext, match="Verification SOP Class"):
        echo(association)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=["explicit", "implicit"])
def test_a_list_gives_a_row_for_each_instance(archive: MakeArchive, study: list[ManifestEntry], syntax: str) -> None:
    peer = holding(archive, study, Script(transfer_syntaxes=[syntax]))

    with opened(peer) as association:
        rows = list(find(association, series_of(study)))

    place = (study[0].study_instance_uid, study[0].series_instance_uid)
    assert rows == [Row(*place, entry.sop_instance_uid, entry.sop_class_uid) for entry in study]


def test_the_instances_of_each_series_are_counted(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    peer = holding(archive, study)

    with opened(peer) as association:
        rows = list(find(association, Query(study[0].study_instance_uid, "", level=Level.SERIES)))

    assert [(row.series_instance_uid, row.series_related_instances) for row in rows] == [
        (study[0].series_instance_uid, 4)
    ]


def test_several_lists_are_asked_for_over_one_association(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    peer = holding(archive, study, Script(on_find={2: Answer(0xA700)}))

    with opened(peer) as association:
        first = list(find(association, series_of(study)))
        with pytest.raises(ListingFailed):
            list(find(association, series_of(study)))
        third = list(find(association, series_of(study)))

    assert first == third
    assert len(first) == 4


ENDS = [
    pytest.param((Answer(0xA700), ListingFailed, "0xA700 .Refused: Out of Resources"), id="out-of-resources"),
    pytest.param((Answer(0xB001), ListingFailed, "0xB001 .Matching reached response limit"), id="limit"),
    pytest.param((Answer(0xFE00), ListingFailed, "0xFE00"), id="cancelled"),
    pytest.param((Answer(0x4321), ListingFailed, "0x4321 .a status that no table of DICOM lists"), id="in-no-table"),
    pytest.param((Answer(0xC001, error_comment="disk\nfull"), ListingFailed, "says: disk full"), id="comment"),
    pytest.param((Answer(0xA900), ListingRefused, "0xA900"), id="not-matching"),
    pytest.param((Answer(0x0124), ListingRefused, "0x0124 .Refused: Not Authorised"), id="not-authorised"),
    pytest.param((Answer(0xFF00), UnexpectedAnswer, "nothing in it"), id="empty-row"),
    pytest.param((Answer(None), UnexpectedAnswer, "something else"), id="without-status"),
    pytest.param((Answer(0xA700, message_id=60_000), UnexpectedAnswer, "message 60000"), id="wrong-message"),
    pytest.param((Answer(0xA700, command_field=C_STORE_RSP), UnexpectedAnswer, "C-STORE"), id="wrong-kind"),
    pytest.param((Close(), AssociationLost, "closed"), id="closed"),
    pytest.param((Silence(), AnswerTimedOut, "in time"), id="silent"),
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("turn", [1, 3, 5], ids=["at-once", "half-way", "after-all"])
def test_a_list_that_does_not_end_with_success_gives_its_rows_and_then_an_error(
    archive: MakeArchive, study: list[ManifestEntry], end: tuple[Act, type[Exception], str], turn: int
) -> None:
    act, error, words = end
    peer = holding(archive, study, Script(on_row={turn: act}))
    rows: list[Row] = []

    with pytest.raises(error, match=words), opened(peer) as association:
        rows.extend(find(association, series_of(study)))

    assert [row.sop_instance_uid for row in rows] == [entry.sop_instance_uid for entry in study[: turn - 1]]


def test_a_list_without_end_is_given_up(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    peer = holding(archive, study, Script(rows=endless))
    rows: list[Row] = []

    with pytest.raises(ListingEndless, match="100 rows"), opened(peer) as association:
        rows.extend(find(association, series_of(study), ListBounds(rows=99)))

    assert len(rows) == 100


def test_a_list_that_only_dribbles_is_given_up(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    def dribbled(_: FindRequest, rows: list[ScriptedRow]) -> Iterator[ScriptedRow]:
        for row in rows:
            time.sleep(0.1)
            yield row

    peer = holding(archive, study, Script(rows=dribbled))

    with pytest.raises(ListingEndless), opened(peer) as association:
        list(find(association, series_of(study), ListBounds(seconds=0.15)))


def test_a_list_that_is_not_offered(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    peer = holding(archive, study, Script(without_sop_classes=[STUDY_ROOT_FIND]))

    with opened(peer) as association, pytest.raises(NoPresentationContext, match=r"Study Root .* not supported there"):
        list(find(association, series_of(study)))
