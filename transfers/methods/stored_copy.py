"""What an Orthanc holds already under the UIDs of an instance, compared with the instance itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from audit.content import DataSetStream, NotComparable, compare, locate_data_set
from audit.entries import ManifestEntry
from audit.limits import most_bytes_of
from audit.observations import EvidenceKind
from transfers.errors import NoDataSet, SourceFileChanged, SpoolFailed
from transfers.sources.base import InstanceReaders
from transfers.spools import Spool, temporary_file
from transfers.wire.orthanc import Orthanc

_CHUNK_BYTES = 1 << 20


def compare_with_stored(
    orthanc: Orthanc, orthanc_id: str, entry: ManifestEntry, readers: InstanceReaders, spool_folder: Path | None
) -> tuple[EvidenceKind, dict[str, Any]]:
    """`identical`, `equivalent` or `conflict`, with details: never values.

    Both are spooled. Raises TransferError where it cannot be told.
    """
    with Spool(most_bytes_of(entry), spool_folder) as stored, temporary_file(spool_folder) as own:
        try:
            with orthanc.open_file(orthanc_id) as answer:
                for chunk in answer.chunks():
                    stored.write(chunk)
            sent = _spooled(own, entry, readers)
            found = compare(sent, locate_data_set(stored.stream()))
        except NotComparable as error:
            raise NoDataSet(str(error)) from error
        except OSError as error:
            raise SpoolFailed from error
    if found.kind is not EvidenceKind.DIFFERENT:
        return found.kind, {"reason": "What it held already has the same content"}
    reason = "It held other content already under the same SOP Instance UID, and threw ours away"
    return EvidenceKind.CONFLICT, {"reason": reason, "elements": list(found.elements)}


def _spooled(file: BinaryIO, entry: ManifestEntry, readers: InstanceReaders) -> DataSetStream:
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    size = 0
    with readers.open(entry) as reader:
        while length := reader.readinto(buffer):
            file.write(buffer[:length])
            size += length
        if size != reader.size:
            raise SourceFileChanged
        reader.check_unchanged()
    return DataSetStream(file, 0, size, entry.transfer_syntax_uid)
