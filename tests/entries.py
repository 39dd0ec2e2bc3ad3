"""Manifest entries of single files, for tests that need no whole manifest."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from pydicom import dcmread

from audit.entries import ManifestEntry


def entry_of(path: Path) -> ManifestEntry:
    """The entry of a Part 10 file that is as it should be."""
    data_set = dcmread(path, stop_before_pixels=True)
    with path.open("rb") as file:
        group_length = struct.unpack_from("<L", file.read(144), 140)[0]
    found = path.stat()
    offset = 144 + group_length
    return ManifestEntry(
        sop_instance_uid=str(data_set.SOPInstanceUID),
        sop_class_uid=str(data_set.SOPClassUID),
        study_instance_uid=str(data_set.StudyInstanceUID),
        series_instance_uid=str(data_set.SeriesInstanceUID),
        transfer_syntax_uid=str(data_set.file_meta.TransferSyntaxUID),
        path=str(path),
        member="",
        data_set_offset=offset,
        data_set_size=found.st_size - offset,
        modified_ns=found.st_mtime_ns,
        file_size=found.st_size,
    )


def entries_of(paths: Iterable[Path]) -> list[ManifestEntry]:
    return [entry_of(path) for path in paths]
