"""What of a manifest a source can send still, looked up just before it is told to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from audit.entries import ManifestEntry
from transfers.errors import ResourceNotFound, SourceError, SourceInstanceChanged, SourceInstanceGone
from transfers.wire.orthanc import Orthanc, checked_id

ONE_BY_ONE = 20
"""So few instances are asked for by name; more are looked up in the lists of their series."""


def unsendable(orthanc: Orthanc, entries: Sequence[ManifestEntry]) -> dict[str, SourceError]:
    """Why, by SOP Instance UID: it is gone, or its file is of another size, or MD5, than the manifest says.

    Raises RequestError.
    """
    found = _gone_or_resized(orthanc, entries)
    with_md5 = [entry for entry in entries if entry.file_md5 and entry.sop_instance_uid not in found]
    with ThreadPoolExecutor(orthanc.session.endpoint.connections, "orthanc-job-md5") as pool:
        digests = pool.map(partial(_md5_of, orthanc), with_md5)
        changed = [entry for entry, md5 in zip(with_md5, digests, strict=True) if md5 != entry.file_md5]
    return found | {entry.sop_instance_uid: SourceInstanceChanged() for entry in changed}


def _gone_or_resized(orthanc: Orthanc, entries: Sequence[ManifestEntry]) -> dict[str, SourceError]:
    sizes = _listed_sizes(orthanc, entries) if len(entries) > ONE_BY_ONE else {}
    found: dict[str, SourceError] = {}
    for entry in entries:
        # What a list lacks is asked for: Orthanc can be set to bound its lists.
        size = sizes[entry.source_id] if entry.source_id in sizes else _size_of(orthanc, entry)
        if error := _why_not(entry, size):
            found[entry.sop_instance_uid] = error
    return found


def _md5_of(orthanc: Orthanc, entry: ManifestEntry) -> str:
    """Empty where the source has none any more, as it had for the manifest."""
    try:
        return orthanc.attachment_md5(entry.source_id)
    except ResourceNotFound:
        return ""


def _why_not(entry: ManifestEntry, size: int | None) -> SourceError | None:
    if size is None:
        return SourceInstanceGone()
    if size != entry.data_set_size:
        return SourceInstanceChanged()
    return None


def _listed_sizes(orthanc: Orthanc, entries: Sequence[ManifestEntry]) -> dict[str, int]:
    """In bytes, by Orthanc ID."""
    sizes: dict[str, int] = {}
    for series in orthanc.find("Series", {"StudyInstanceUID": entries[0].study_instance_uid}):
        try:
            listed = orthanc.instances_of_series(checked_id(series.get("ID")))
        except ResourceNotFound:  # deleted this moment
            continue
        sizes |= {str(each.get("ID")): _file_size(each) for each in listed}
    return sizes


def _size_of(orthanc: Orthanc, entry: ManifestEntry) -> int | None:
    try:
        return _file_size(orthanc.resource("Instance", entry.source_id))
    except ResourceNotFound:
        return None


def _file_size(instance: Mapping[str, Any]) -> int:
    size = instance.get("FileSize")
    return size if isinstance(size, int) else -1
