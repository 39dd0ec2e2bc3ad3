"""The scripted archive does what its script says of a C-FIND, and else lists what it has."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless

from tests.datasets import unique_uid, write_instance, write_study
from tests.fakes.acts import Abort, Answer, Close, Silence
from tests.fakes.archive import Archive
from tests.fakes.finding import STUDY_ROOT_FIND
from tests.fakes.fixtures import MakeArchive
from tests.fakes.rows import (
    Rewrite,
    altered,
    blind_to_keys,
    capped,
    endless,
    in_turn,
    invented,
    repeated,
    without,
    yes_to_every_direct_question,
)
from tests.fakes.script import Script
from tests.integration.fakes.conftest import Associate
from tests.peers.programs import program

SERIES_KEYS = ("SeriesInstanceUID", "NumberOfSeriesRelatedInstances")


def ask(associate: Associate, peer: Archive, level: str, **keys: str | list[str]) -> tuple[list[Dataset], list[int]]:
    """The rows and the status codes that pynetdicom gets; a code of -1 for no answer."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    answers = list(associate(peer).send_c_find(identifier, STUDY_ROOT_FIND))
    rows = [row for _, row in answers if row is not None]
    return rows, [int(status.get("Status", -1)) for status, _ in answers]


def uids(rows: Sequence[Dataset]) -> list[str]:
    return [str(row.SOPInstanceUID) for row in rows]


@pytest.fixture
def study(tmp_path: Path) -> list[Dataset]:
    """Six instances in two series, as data sets with their `filename`."""
    return [dcmread(path) for path in write_study(tmp_path, instances=6, series=2, size_bytes=64)]


def holding(archive: MakeArchive, study: list[Dataset], script: Script) -> Archive:
    peer = archive(script)
    peer.hold(*(Path(str(data_set.filename)) for data_set in study))
    return peer


def test_each_level_is_listed(archive: MakeArchive, associate: Associate, study: list[Dataset]) -> None:
    peer = holding(archive, study, Script())
    study_uid, series_uid = study[0].StudyInstanceUID, study[0].SeriesInstanceUID

    studies, _ = ask(associate, peer, "STUDY", StudyInstanceUID="", NumberOfStudyRelatedInstances="")
    series, _ = ask(associate, peer, "SERIES", StudyInstanceUID=study_uid, **dict.fromkeys(SERIES_KEYS, ""))
    images, codes = ask(
        associate, peer, "IMAGE", StudyInstanceUID=study_uid, SeriesInstanceUID=series_uid, SOPInstanceUID=""
    )

    assert [row.NumberOfStudyRelatedInstances for row in studies] == [6]
    assert [row.NumberOfSeriesRelatedInstances for row in series] == [3, 3]
    assert uids(images) == [each.SOPInstanceUID for each in study[::2]]
    assert codes == [0xFF00] * 3 + [0x0000]


def test_instances_are_found_by_name_and_by_list(
    archive: MakeArchive, associate: Associate, study: list[Dataset]
) -> None:
    peer = holding(archive, study, Script())
    named = [str(each.SOPInstanceUID) for each in study]

    one, _ = ask(associate, peer, "IMAGE", SOPInstanceUID=named[3])
    several, _ = ask(associate, peer, "IMAGE", SOPInstanceUID=[named[0], unique_uid(), named[5]])

    assert uids(one) == [named[3]]
    assert uids(several) == [named[0], named[5]]
    assert [request.is_direct for request in peer.log.finds] == [True, True]


def test_findscu_reads_the_rows(archive: MakeArchive, study: list[Dataset]) -> None:
    peer = holding(archive, study, Script())
    keys = [
        "-k",
        "QueryRetrieveLevel=IMAGE",
        "-k",
        f"StudyInstanceUID={study[0].StudyInstanceUID}",
        "-k",
        "SOPInstanceUID",
    ]

    found = subprocess.run(
        [program("findscu", package="dcmtk"), "-v", "-S", "-aec", peer.ae_title, *keys, peer.host, str(peer.port)],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )

    listed = re.findall(r"\(0008,0018\) UI \[([0-9.]+)", found.stdout + found.stderr)
    assert set(listed) == {str(each.SOPInstanceUID) for each in study}


@pytest.mark.parametrize(
    "transfer_syntax_uid", [ImplicitVRLittleEndian, JPEG2000Lossless], ids=["implicit", "jpeg2000"]
)
def test_what_was_stored_is_listed_whatever_its_transfer_syntax(
    archive: MakeArchive, associate: Associate, tmp_path: Path, transfer_syntax_uid: str
) -> None:
    peer = archive()
    peer.hold(write_instance(tmp_path, sop_instance_uid="2.25.1", transfer_syntax_uid=transfer_syntax_uid))

    rows, _ = ask(associate, peer, "IMAGE", SOPInstanceUID="")

    assert uids(rows) == ["2.25.1"]


def test_c_find_can_be_not_offered(archive: MakeArchive, associate: Associate) -> None:
    association = associate(archive(Script(without_sop_classes=[STUDY_ROOT_FIND])))

    assert [context.abstract_syntax for context in association.rejected_contexts] == [STUDY_ROOT_FIND]


BREAKS = [
    pytest.param(Script(on_find=Answer(0xA700)), [0xA700], id="fails-at-once"),
    pytest.param(Script(on_find={"IMAGE": Answer(0xC001)}), [0xC001], id="fails-at-a-level"),
    pytest.param(Script(on_row={4: Answer(0xC001)}), [0xFF00] * 3 + [0xC001], id="fails-after-three"),
    pytest.param(Script(on_row={7: Answer(0xA700)}), [0xFF00] * 6 + [0xA700], id="fails-after-all"),
    pytest.param(Script(on_row={4: Abort()}), [0xFF00] * 3 + [-1], id="aborts-after-three"),
    pytest.param(Script(on_row={4: Close()}), [0xFF00] * 3 + [-1], id="closes-after-three"),
    pytest.param(Script(on_row={2: Answer(delay_seconds=0.1)}), [0xFF00] * 6 + [0x0000], id="only-takes-its-time"),
]


@pytest.mark.parametrize(("script", "expected"), BREAKS)
def test_a_list_breaks_off(
    archive: MakeArchive, associate: Associate, study: list[Dataset], script: Script, expected: list[int]
) -> None:
    peer = holding(archive, study, script)

    _, codes = ask(associate, peer, "IMAGE", StudyInstanceUID=study[0].StudyInstanceUID, SOPInstanceUID="")

    assert codes == expected


def test_a_list_can_stop_without_an_end(archive: MakeArchive, associate: Associate, study: list[Dataset]) -> None:
    peer = holding(archive, study, Script(on_row={3: Silence()}))
    association = associate(peer)
    association.dimse_timeout = 0.3
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.SOPInstanceUID = "IMAGE", ""

    answers = list(association.send_c_find(identifier, STUDY_ROOT_FIND))

    assert [status.get("Status") for status, _ in answers] == [0xFF00, 0xFF00, None]


REWRITES = [
    pytest.param(capped(2), [0, 1], id="capped"),
    pytest.param(repeated(2), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], id="repeated"),
    pytest.param(in_turn(capped(1), repeated(3)), [0, 0, 0], id="capped-and-repeated"),
]


@pytest.mark.parametrize(("rows", "expected"), REWRITES)
def test_a_list_that_ends_well_can_be_wrong(
    archive: MakeArchive, associate: Associate, study: list[Dataset], rows: Rewrite, expected: list[int]
) -> None:
    peer = holding(archive, study, Script(rows=rows))

    listed, codes = ask(associate, peer, "IMAGE", StudyInstanceUID=study[0].StudyInstanceUID, SOPInstanceUID="")

    assert uids(listed) == [study[index].SOPInstanceUID for index in expected]
    assert codes[-1] == 0x0000


def test_rows_can_be_of_another_study_or_nothing_at_all(
    archive: MakeArchive, associate: Associate, study: list[Dataset]
) -> None:
    peer = holding(
        archive, study[:1], Script(rows=in_turn(altered(StudyInstanceUID="1.2.3"), without("SeriesInstanceUID")))
    )

    rows, _ = ask(associate, peer, "IMAGE", StudyInstanceUID="", SeriesInstanceUID="", SOPInstanceUID="")

    assert [row.StudyInstanceUID for row in rows] == ["1.2.3"]
    assert not rows[0].SeriesInstanceUID


def test_rows_can_be_invented(archive: MakeArchive, associate: Associate, study: list[Dataset]) -> None:
    stranger = {"StudyInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.4"}
    adding = holding(archive, study[:1], Script(rows=invented(stranger)))
    agreeing = archive(Script(rows=yes_to_every_direct_question))
    blind = archive(Script(rows=blind_to_keys([stranger])))

    added, _ = ask(associate, adding, "IMAGE", SOPInstanceUID="")
    agreed, _ = ask(associate, agreeing, "IMAGE", SOPInstanceUID="1.2.5")
    ignored, _ = ask(associate, blind, "IMAGE", SOPInstanceUID="1.2.6")

    assert uids(added) == [study[0].SOPInstanceUID, "1.2.4"]
    assert uids(agreed) == ["1.2.5"]
    assert uids(ignored) == ["1.2.4"]


def test_an_instance_can_be_hidden(archive: MakeArchive, associate: Associate, study: list[Dataset]) -> None:
    peer = holding(archive, study, Script(hides=[str(study[2].SOPInstanceUID)]))

    listed, _ = ask(associate, peer, "IMAGE", SOPInstanceUID="")
    direct, codes = ask(associate, peer, "IMAGE", SOPInstanceUID=study[2].SOPInstanceUID)

    assert len(listed) == 5
    assert (direct, codes) == ([], [0x0000])


def test_an_instance_can_be_late(archive: MakeArchive, associate: Associate, tmp_path: Path) -> None:
    peer = archive(Script(late_seconds=0.4))
    path = write_instance(tmp_path)
    associate(peer).send_c_store(dcmread(path))

    at_once, _ = ask(associate, peer, "IMAGE", SOPInstanceUID="")
    time.sleep(0.4)
    later, _ = ask(associate, peer, "IMAGE", SOPInstanceUID="")

    assert (len(at_once), len(later)) == (0, 1)


def test_an_endless_list_ends_where_it_is_cancelled(
    archive: MakeArchive, associate: Associate, study: list[Dataset]
) -> None:
    peer = holding(archive, study, Script(rows=endless))
    association = associate(peer)
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.SOPInstanceUID = "IMAGE", ""
    answers = association.send_c_find(identifier, STUDY_ROOT_FIND, msg_id=7)
    next(answers)

    association.send_c_cancel(7, query_model=STUDY_ROOT_FIND)

    assert [int(status.Status) for status, _ in answers][-1] == 0xFE00
