"""What the demo archive can be asked for by C-FIND: the identity of each instance, and matching (PS3.4 C.2.2.2).

No Django, no network. Keys are matched as a single value, a list of UIDs, a wildcard (never on UIDs) or, for dates and
times, a range; a key that the index does not keep is answered with nothing and matches everything (PS3.4 C.2.2.1.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from pydicom import Dataset, dcmread

UNIQUE_KEYS = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
RANGES = {"StudyDate", "StudyTime", "SeriesDate", "SeriesTime"}
TEXTS = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "IssuerOfPatientID"),
    *("StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber", "ReferringPhysicianName"),
    *("SeriesDate", "SeriesTime", "SeriesNumber", "SeriesDescription", "Modality", "BodyPartExamined"),
    *("InstanceNumber", "NumberOfFrames", "Rows", "Columns"),
)

Row = dict[str, str]
Keys = Mapping[str, tuple[str, ...]]
"""Keyword and the values asked for; no value: everything matches."""


@dataclass(frozen=True, slots=True)
class IndexedInstance:
    """An instance that is stored, with what can be listed of it."""

    path: Path
    transfer_syntax_uid: str
    size: int
    """Of the file, in bytes."""
    values: Mapping[str, str]

    @property
    def sop_instance_uid(self) -> str:
        return self.values["SOPInstanceUID"]


def read_instance(path: Path) -> IndexedInstance:
    """Read what can be listed of a Part 10 file; raises whatever pydicom raises where it is none."""
    data_set = dcmread(path, stop_before_pixels=True, specific_tags=["SpecificCharacterSet", *UIDS, *TEXTS])
    uids = {keyword: _uid(data_set, keyword) for keyword in UIDS}
    texts = {keyword: _text(data_set, keyword) for keyword in TEXTS}
    return IndexedInstance(path, str(data_set.file_meta.TransferSyntaxUID), path.stat().st_size, texts | uids)


class DemoIndex:
    """All that the demo archive has stored, in memory; safe to use from several threads."""

    def __init__(self) -> None:
        self._instances: dict[str, IndexedInstance] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._instances)

    def get(self, sop_instance_uid: str) -> IndexedInstance | None:
        return self._instances.get(sop_instance_uid)

    def add(self, instance: IndexedInstance) -> None:
        with self._lock:
            self._instances.setdefault(instance.sop_instance_uid, instance)

    def find(self, level: str, keys: Keys) -> list[Row]:
        """One row for each study, series or instance that matches, with the counts of what is related to it."""
        with self._lock:
            instances = [instance.values for instance in self._instances.values()]
        unique_key = UNIQUE_KEYS[level]
        rows: dict[str, Row] = {}
        for values in instances:
            if all(matches(keyword, values[keyword], wanted) for keyword, wanted in keys.items() if keyword in values):
                rows.setdefault(values[unique_key], dict(values))
        counts = _Counts(instances)
        return [row | counts.of(row) for row in rows.values()]


class _Counts:
    """How many series and instances belong to each study and series."""

    def __init__(self, instances: Iterable[Mapping[str, str]]) -> None:
        self._studies: dict[str, list[str]] = {}
        for values in instances:
            self._studies.setdefault(values["StudyInstanceUID"], []).append(values["SeriesInstanceUID"])

    def of(self, row: Row) -> Row:
        series_of_instances = self._studies[row["StudyInstanceUID"]]
        return {
            "NumberOfStudyRelatedSeries": str(len(set(series_of_instances))),
            "NumberOfStudyRelatedInstances": str(len(series_of_instances)),
            "NumberOfSeriesRelatedInstances": str(series_of_instances.count(row["SeriesInstanceUID"])),
        }


def matches(keyword: str, value: str, wanted: tuple[str, ...]) -> bool:
    """Whether the value of an instance is what a key asks for (PS3.4 C.2.2.2.1 to C.2.2.2.5)."""
    if not wanted:
        return True
    if keyword in UIDS:
        return value in wanted
    if keyword in RANGES and "-" in wanted[0]:
        first, _, last = wanted[0].partition("-")
        return bool(value) and first <= value and (not last or value[: len(last)] <= last)
    return any(_wildcard(each).fullmatch(value) for each in wanted)


def _wildcard(pattern: str) -> re.Pattern[str]:
    """`*` is any text and `?` any one character (PS3.4 C.2.2.2.4)."""
    parts = (".*" if character == "*" else "." if character == "?" else re.escape(character) for character in pattern)
    return re.compile("".join(parts), re.DOTALL | re.IGNORECASE)


def _uid(data_set: Dataset, keyword: str) -> str:
    """As it is encoded: a UID that breaks the rules still is what the peer will ask for."""
    if keyword not in data_set:
        return ""
    value = data_set.get_item(keyword).value
    return value.decode("ascii", "replace").rstrip("\0 ") if isinstance(value, bytes) else str(value or "")


def _text(data_set: Dataset, keyword: str) -> str:
    try:
        value = data_set.get(keyword)
        return "" if value is None else str(value)
    except Exception:  # noqa: BLE001 whatever pydicom makes of a broken value, the instance stays listed
        return ""
