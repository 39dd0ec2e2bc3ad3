"""What a source Orthanc holds: its studies, searched, and the manifest of one of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from sys import intern
from threading import Event
from typing import Any, TypeGuard

from audit.chunks import chunks
from audit.data_sets import MODALITY, SPECIFIC_CHARACTER_SET, STUDY_DATE, STUDY_DESCRIPTION
from audit.descriptions import Describer
from audit.entries import ManifestEntry, Skipped, SkippedKind, StudyManifest
from audit.uids import UnsafeUid, uid_of
from transfers.endpoints import OrthancEndpoint
from transfers.errors import (
    MalformedAnswer,
    ResourceNotFound,
    SourceStopped,
    StudyAmbiguous,
    StudyNotAtSource,
    StudyNotStable,
)
from transfers.wire.foreign_text import clean_text
from transfers.wire.http import HttpSession
from transfers.wire.orthanc import Orthanc, Resource, checked_id, tag_of

MOST_FOUND = 200
STABLE_WITHIN_SECONDS = 3600.0
_LOOK_SECONDS = 1.0
_MANIFEST_CHUNK = 500
_LARGEST_LIST_BYTES = 8 * 1024 * 1024
"""Of studies found: somebody waits for it, and a page shows all of it."""
_LARGEST_FILE_BYTES = 1 << 40
_MOST_NAMED = 10
_NO_MD5 = "the source keeps no MD5 of it: another file of the same size would not be noticed"


@dataclass(frozen=True, slots=True)
class StudyQuery:
    """What studies are searched by; what is empty is not asked. Patients are searched for, and never kept."""

    patient_id: str = ""
    """Wildcards `*` and `?` as in C-FIND."""
    accession_number: str = ""
    study_date: str = ""
    """YYYYMMDD, or a range YYYYMMDD-YYYYMMDD, open on either side (PS3.4 C.2.2.2.5)."""
    modality: str = ""
    study_instance_uid: str = ""

    @property
    def keys(self) -> dict[str, str]:
        """As Orthanc's /tools/find takes them."""
        keys = {
            "PatientID": self.patient_id,
            "AccessionNumber": self.accession_number,
            "StudyDate": self.study_date,
            "ModalitiesInStudy": self.modality,
            "StudyInstanceUID": self.study_instance_uid,
        }
        return {name: value for name, value in keys.items() if value}


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that a source holds, for whoever searched: it names a patient, so it is kept nowhere."""

    source_id: str
    """The Orthanc ID."""
    study_instance_uid: str
    patient_id: str
    patient_name: str
    accession_number: str
    study_date: str
    """YYYYMMDD, as the source has it."""
    description: str
    series: int
    is_stable: bool


@dataclass(frozen=True, slots=True)
class SourceStudy:
    """A study as a source held it at one moment."""

    source_id: str
    manifest: StudyManifest
    skipped: tuple[Skipped, ...]
    """Instances that are part of no transfer, by their Orthanc IDs."""


def search_studies(
    endpoint: OrthancEndpoint, query: StudyQuery, limit: int = MOST_FOUND, stop: Event | None = None
) -> list[FoundStudy]:
    """Up to `limit` studies that match. Raises RequestError."""
    with HttpSession(endpoint, stop) as session:
        question = {"Level": "Study", "Query": query.keys, "Expand": True, "Limit": limit}
        answer = session.post_json("/tools/find", question, is_repeatable=True, limit_bytes=_LARGEST_LIST_BYTES)
    if not isinstance(answer, list):
        raise MalformedAnswer
    return [_found(each) for each in answer[:limit] if isinstance(each, dict)]


def find_study(endpoint: OrthancEndpoint, study: str, stop: Event | None = None) -> str:
    """The Orthanc ID of a study that is named by its Study Instance UID, or by that ID itself.

    Raises StudyNotAtSource, StudyAmbiguous (two patients have the same UID), RequestError.
    """
    try:
        uid = uid_of(study.encode())
    except UnsafeUid as error:
        raise StudyNotAtSource from error
    if not uid:  # which would match every study
        raise StudyNotAtSource
    with HttpSession(endpoint, stop) as session:
        orthanc = Orthanc(session)
        found = orthanc.find_ids("Study", {"StudyInstanceUID": uid})
        if not found and _is_there(orthanc, study):
            return study
    if not found:
        raise StudyNotAtSource
    if len(found) > 1:
        named = ", ".join(found[:_MOST_NAMED])
        raise StudyAmbiguous(f"The source holds this study under several patients: choose one of {named}.")
    return found[0]


def take_manifest(endpoint: OrthancEndpoint, source_id: str, stop: Event | None = None) -> SourceStudy:
    """What the source holds of a study now, with the size and MD5 of each file. Raises RequestError, StudyNotAtSource.

    Memory grows with the number of instances only: nothing of their content is fetched.
    """
    with HttpSession(endpoint, stop) as session:
        orthanc = Orthanc(session)
        try:
            study = orthanc.resource("Study", source_id)
            series = [orthanc.resource("Series", each) for each in _children(study, "Series")]
        except ResourceNotFound as error:
            raise StudyNotAtSource from error
        gathered = _Gathered(study)
        with ThreadPoolExecutor(endpoint.connections, "source-md5") as pool:
            for each in series:
                gathered.describe(each)
                for ids in chunks(_children(each, "Instances"), _MANIFEST_CHUNK):
                    described = _instances(orthanc, ids)
                    digests = pool.map(partial(_md5, orthanc), (str(found["ID"]) for found in described))
                    for instance, md5 in zip(described, digests, strict=True):
                        gathered.add(orthanc, instance, each, md5)
    return gathered.study(source_id, len(series))


def wait_until_stable(
    endpoint: OrthancEndpoint, source_id: str, stop: Event, within_seconds: float = STABLE_WITHIN_SECONDS
) -> None:
    """Return once the source itself calls the study stable: nothing came for its StableAge.

    Raises StudyNotStable, StudyNotAtSource, SourceStopped, RequestError.
    """
    deadline = time.monotonic() + within_seconds
    with HttpSession(endpoint, stop) as session:
        orthanc = Orthanc(session)
        while not _is_stable(orthanc, source_id):
            if time.monotonic() > deadline:
                raise StudyNotStable
            if stop.wait(_LOOK_SECONDS):
                raise SourceStopped


def instances_held(endpoint: OrthancEndpoint, source_id: str, stop: Event | None = None) -> frozenset[str]:
    """The SOP Instance UIDs that the source holds of a study now. Raises RequestError, StudyNotAtSource."""
    with HttpSession(endpoint, stop) as session:
        orthanc = Orthanc(session)
        try:
            series = _children(orthanc.resource("Study", source_id), "Series")
            held = [found for each in series for found in orthanc.instances_of_series(each)]
        except ResourceNotFound as error:
            raise StudyNotAtSource from error
    return frozenset(tag_of(found, "SOPInstanceUID").rstrip("\0 ") for found in held)


class _Gathered:
    """The entries of one study, and what is left out of it."""

    def __init__(self, study: Resource) -> None:
        self._study_instance_uid = tag_of(study, "StudyInstanceUID").rstrip("\0 ")
        self._entries: dict[str, ManifestEntry] = {}
        self._conflicts: set[str] = set()
        self._skipped: list[Skipped] = []
        self._describer = Describer()
        self._describer.add(
            {
                STUDY_DATE: clean_text(tag_of(study, "StudyDate")).encode(),
                STUDY_DESCRIPTION: clean_text(tag_of(study, "StudyDescription")).encode(),
                SPECIFIC_CHARACTER_SET: b"ISO_IR 192",  # what Orthanc answers is UTF-8, whatever the files are in
            }
        )

    def describe(self, series: Resource) -> None:
        self._describer.add({MODALITY: clean_text(tag_of(series, "Modality")).encode()})

    def add(self, orthanc: Orthanc, instance: Resource, series: Resource, md5: str) -> None:
        source_id = str(instance["ID"])
        metadata = _mapping(instance, "Metadata")
        told = {
            "sop_instance_uid": tag_of(instance, "SOPInstanceUID"),
            "sop_class_uid": metadata.get("SopClassUid") or _sop_class_uid(orthanc, source_id),
            "study_instance_uid": self._study_instance_uid,
            "series_instance_uid": tag_of(series, "SeriesInstanceUID"),
            "transfer_syntax_uid": metadata.get("TransferSyntax") or _transfer_syntax_uid(orthanc, source_id),
        }
        try:
            uids = {name: intern(uid_of(_encoded(str(uid)))) for name, uid in told.items()}
        except UnsafeUid as error:
            self._skip(source_id, SkippedKind.UNSAFE, f"a UID of it {error}")
            return
        size = instance.get("FileSize")
        if lacking := [name for name, uid in uids.items() if not uid]:
            self._skip(source_id, SkippedKind.NO_UID, f"the source does not say its {_in_words(lacking)}")
        elif not _is_size(size):
            self._skip(source_id, SkippedKind.BROKEN, "the source does not say how large its file is")
        else:
            self._take(_entry(uids, size, source_id, md5))

    def study(self, source_id: str, series: int) -> SourceStudy:
        manifest = StudyManifest(
            self._study_instance_uid,
            tuple(self._entries.values()),
            frozenset(self._conflicts),
            replace(self._describer.description(series), series=series),
        )
        return SourceStudy(source_id, manifest, tuple(self._skipped))

    def _take(self, entry: ManifestEntry) -> None:
        first = self._entries.setdefault(entry.sop_instance_uid, entry)
        if first is entry:
            return
        if first.file_md5 == entry.file_md5:
            self._skip(entry.source_id, SkippedKind.DUPLICATE, f"the same file as {first.source_id}")
        else:
            self._conflicts.add(entry.sop_instance_uid)
            self._skip(
                entry.source_id, SkippedKind.CONFLICT, f"another file has the SOPInstanceUID of {first.source_id}"
            )

    def _skip(self, source_id: str, kind: SkippedKind, reason: str) -> None:
        self._skipped.append(Skipped(f"instances/{source_id}", kind, reason))


def _entry(uids: Mapping[str, str], size_bytes: int, source_id: str, md5: str) -> ManifestEntry:
    return ManifestEntry(
        **uids,
        path="",
        member="",
        data_set_offset=0,
        data_set_size=size_bytes,
        modified_ns=0,
        file_size=size_bytes,
        source_id=source_id,
        file_md5=md5,
        notes=() if md5 else (_NO_MD5,),
    )


def _instances(orthanc: Orthanc, ids: Sequence[str]) -> list[Resource]:
    """Each with its main tags, size and metadata, in the order asked for; without what was deleted this moment.

    Raises RequestError.
    """
    question = {"Resources": list(ids), "Level": "Instance", "Metadata": True}
    answer = orthanc.session.post_json("/tools/bulk-content", question, is_repeatable=True)
    try:
        found: Mapping[str, Resource] = {each["ID"]: each for each in answer}
    except (KeyError, TypeError) as error:
        raise MalformedAnswer("The source's list of instances cannot be read.") from error
    if any(_is_instance(orthanc, each) for each in ids if each not in found):
        raise MalformedAnswer("The source's list of instances does not hold all of them.")
    return [found[each] for each in ids if each in found]


def _is_instance(orthanc: Orthanc, source_id: str) -> bool:
    try:
        orthanc.resource("Instance", source_id)
    except ResourceNotFound:
        return False
    return True


def _md5(orthanc: Orthanc, source_id: str) -> str:
    """Empty where the source takes none (StoreMD5ForAttachments); whether it is still there is seen when it is read."""
    try:
        return orthanc.attachment_md5(source_id)
    except ResourceNotFound:
        return ""


def _sop_class_uid(orthanc: Orthanc, source_id: str) -> str:
    """For what was stored before Orthanc noted it. Raises RequestError."""
    try:
        with orthanc.session.open("GET", f"/instances/{checked_id(source_id)}/content/0008-0016") as answer:
            return answer.read(256).decode("latin-1").strip("\0 ")
    except ResourceNotFound:
        return ""


def _transfer_syntax_uid(orthanc: Orthanc, source_id: str) -> str:
    """The same: out of its file meta group. Raises RequestError."""
    try:
        header = orthanc.session.get_json(f"/instances/{checked_id(source_id)}/header?simplify")
    except ResourceNotFound:
        return ""
    return str(header.get("TransferSyntaxUID") or "").strip("\0 ") if isinstance(header, dict) else ""


def _children(resource: Resource, name: str) -> list[str]:
    """What is below it, by Orthanc IDs. Raises MalformedAnswer."""
    found = resource.get(name)
    if not isinstance(found, list):
        raise MalformedAnswer("The source does not say what is in the study.")
    return [checked_id(each) for each in found]


def _in_words(fields: Sequence[str]) -> str:
    return ", ".join(field.removesuffix("_uid").replace("_", " ") + " UID" for field in fields)


def _is_there(orthanc: Orthanc, study: str) -> bool:
    try:
        return orthanc.resource("Study", study).get("ID") == study
    except (ResourceNotFound, MalformedAnswer):
        return False


def _is_stable(orthanc: Orthanc, source_id: str) -> bool:
    try:
        return orthanc.resource("Study", source_id).get("IsStable") is True
    except ResourceNotFound as error:
        raise StudyNotAtSource from error


def _mapping(resource: Resource, name: str) -> Mapping[str, Any]:
    found = resource.get(name)
    return found if isinstance(found, dict) else {}


def _encoded(text: str) -> bytes:
    """JSON can hold halves of characters, which no text has: they stay something that no UID may be."""
    return text.encode(errors="surrogatepass")


def _is_size(value: Any) -> TypeGuard[int]:
    """Whether a file can have it: what is larger fits no column, either."""
    return type(value) is int and 0 < value <= _LARGEST_FILE_BYTES


def _found(study: Resource) -> FoundStudy:
    patient, series = _mapping(study, "PatientMainDicomTags"), study.get("Series")
    return FoundStudy(
        source_id=clean_text(str(study.get("ID", ""))),
        study_instance_uid=clean_text(tag_of(study, "StudyInstanceUID")),
        patient_id=clean_text(str(patient.get("PatientID", ""))),
        patient_name=clean_text(str(patient.get("PatientName", ""))),
        accession_number=clean_text(tag_of(study, "AccessionNumber")),
        study_date=clean_text(tag_of(study, "StudyDate")),
        description=clean_text(tag_of(study, "StudyDescription")),
        series=len(series) if isinstance(series, list) else 0,
        is_stable=study.get("IsStable") is True,
    )
