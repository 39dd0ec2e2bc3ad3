"""Our reading beside pydicom's: the same instances, and none that pydicom cannot read."""

from __future__ import annotations

import csv
import random
import warnings
from io import BytesIO
from pathlib import Path

import pydicom.data
import pytest
from pydicom import dcmread
from pydicom.uid import (
    MediaStorageDirectoryStorage,
)
from pydicom.valuerep import DA

from audit.descriptions import Describer
from audit.entries import SkippedKind, StudyDescription
from audit.left_out import LeftOut
from audit.part10 import Instance
from tests.unit.audit.encoded import (
    verdict,
)

PACKAGED_FILES = [path for path in sorted(Path(pydicom.data.__file__).parent.rglob("*_files/**/*")) if path.is_file()]
"""pydicom's own test files that are in its package."""
SHARED_DATA = Path(__file__).parents[4] / "shared" / "data"
DAMAGED = {"trunc_in_pixels.dcm", "trunc_one_byte.dcm", "two_files_concatenated.dcm"}
"""Files that pydicom reads without complaint, though something of them is missing."""
TRUNCATED = {"MR_truncated.dcm", "rtplan_truncated.dcm"}


@pytest.mark.parametrize("path", PACKAGED_FILES, ids=lambda path: path.name)
def test_every_packaged_file_of_pydicom_is_read_as_pydicom_reads_it(path: Path) -> None:
    content = path.read_bytes()
    found = verdict(content)
    if isinstance(found, LeftOut):
        assert found.kind is expected_kind(content, path.name)
        return

    assert found.data_set_size > 0
    assert uids_of(found) == uids_by_pydicom(content)


def test_every_packaged_instance_of_pydicom_describes_its_study_as_pydicom_reads_it() -> None:
    contents = [path.read_bytes() for path in PACKAGED_FILES]
    instances = [(found, content) for content in contents if isinstance(found := verdict(content), Instance)]

    assert len(instances) > 100
    for instance, content in instances:
        assert description_of(instance) == description_by_pydicom(content)


def description_of(instance: Instance) -> StudyDescription:
    describer = Describer()
    describer.add(instance.values)
    return describer.description(series=1)


def description_by_pydicom(content: bytes) -> StudyDescription:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = dcmread(BytesIO(content))
        text, date, modality = (data_set.get(name) or "" for name in ("StudyDescription", "StudyDate", "Modality"))
    if date:
        date = f"{DA(date):%Y-%m-%d}"
    return StudyDescription(text.strip(), date, (modality,) if modality else (), series=1)


def uids_by_pydicom(content: bytes) -> tuple[str, ...]:
    keywords = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = dcmread(BytesIO(content))
        uids = [*(data_set.get(keyword, "") for keyword in keywords), data_set.file_meta.get("TransferSyntaxUID", "")]
    return tuple(str(uid) for uid in uids)


def expected_kind(content: bytes, name: str) -> SkippedKind:
    if content[128:132] != b"DICM":
        return SkippedKind.NOT_DICOM
    if name in TRUNCATED:
        return SkippedKind.BROKEN
    uids = uids_by_pydicom(content)
    if not uids[-1]:
        return SkippedKind.BROKEN
    if dcmread(BytesIO(content)).file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        return SkippedKind.DICOMDIR
    assert "" in uids
    return SkippedKind.NO_UID


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="shared/data is not beside the project")
def test_every_file_of_the_shared_data_is_read_as_its_list_says() -> None:
    with (SHARED_DATA / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert len(rows) > 1300
    for row in rows:
        path = SHARED_DATA / row["path"]
        found = verdict(path.read_bytes())
        is_whole = row["status"] == "instance" and path.name not in DAMAGED
        assert isinstance(found, Instance) == is_whole, path
        if isinstance(found, Instance):
            assert uids_of(found) == tuple(row[column] for column in UID_COLUMNS)


UID_COLUMNS = ("sop_class", "sop_uid", "study_uid", "series_uid", "transfer_syntax")


def uids_of(instance: Instance) -> tuple[str, ...]:
    return (
        instance.sop_class_uid,
        instance.sop_instance_uid,
        instance.study_instance_uid,
        instance.series_instance_uid,
        instance.transfer_syntax_uid,
    )


def test_a_damaged_file_is_never_read_as_another_instance_than_pydicom_sees() -> None:
    """One to four bytes of a good file are changed: whatever is kept, pydicom reads too, and as the same instance."""
    chance = random.Random(20260105)
    whole = [content for path in PACKAGED_FILES if len(content := path.read_bytes()) < 20_000 and is_instance(content)]
    kept = 0

    for _ in range(1500):
        content = damaged(chance.choice(whole), chance)
        found = verdict(content)
        if isinstance(found, Instance):
            kept += 1
            assert uids_of(found) == tuple(uid.rstrip("\0 ") for uid in uids_by_pydicom(content))

    assert kept > 500


def is_instance(content: bytes) -> bool:
    return isinstance(verdict(content), Instance)


def damaged(content: bytes, chance: random.Random) -> bytes:
    result = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        position = chance.randrange(132, min(len(content), 4000))
        result[position] = chance.choice([0, 255, result[position] ^ 1, chance.randrange(256)])
    return bytes(result)
