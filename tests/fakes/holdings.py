"""An instance that a scripted archive holds, byte for byte as it arrived."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread

from tests.datasets import data_set_bytes, preamble_and_file_meta

IDENTITY = [
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "SOPClassUID",
    "StudyDate",
    "StudyID",
    "AccessionNumber",
    "Modality",
    "PatientID",
    "SeriesNumber",
    "InstanceNumber",
]


@dataclass(frozen=True)
class Holding:
    """The UIDs are those of the C-STORE-RQ; what a C-FIND lists is read from the data set."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    data_set: bytes
    stored_at: float = field(default_factory=time.monotonic)

    @property
    def sha256(self) -> str:
        return sha256(self.data_set).hexdigest()

    def part_10(self) -> bytes:
        """A file of it, made of the UIDs of the C-STORE-RQ and the data set."""
        meta = preamble_and_file_meta(self.sop_class_uid, self.sop_instance_uid, self.transfer_syntax_uid)
        return meta + self.data_set

    @cached_property
    def identity(self) -> dict[str, str]:
        """What can be listed of it, by keyword; empty where the data set cannot be read."""
        try:
            data_set = dcmread(BytesIO(self.part_10()), stop_before_pixels=True, specific_tags=list(IDENTITY))
            return {keyword: _text(data_set, keyword) for keyword in IDENTITY}
        except Exception:  # noqa: BLE001 whatever pydicom makes of a broken data set
            return {}


def _text(data_set: Dataset, keyword: str) -> str:
    value = data_set.get(keyword)
    return "" if value is None else str(value)


def holding_of(path: Path) -> Holding:
    """A Part 10 file as an instance that an archive has had for long."""
    data_set = dcmread(path, stop_before_pixels=True)
    return Holding(
        str(data_set.SOPInstanceUID),
        str(data_set.SOPClassUID),
        str(data_set.file_meta.TransferSyntaxUID),
        data_set_bytes(path),
        stored_at=float("-inf"),
    )
