"""What a manifest is made of: values only, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One instance to send, as it was read before the first byte."""

    sop_instance_uid: str
    sop_class_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    path: str
    """Absolute path of the file, or of the ZIP file that holds it."""
    member: str
    """Name inside the ZIP file, else empty."""
    data_set_offset: int
    """Bytes of preamble and file meta group before the data set."""
    data_set_size: int
    """Bytes of the data set as encoded in the file (a deflated one as deflated)."""
    modified_ns: int
    """`st_mtime_ns` of `path` when it was read."""
    file_size: int
    """`st_size` of `path` when it was read."""
    source_id: str = ""
    """Of an instance that a source holds: by what it is asked for there (an Orthanc ID); empty for a local file.

    Its path is empty then, and where its data set begins is seen only while it is read: `data_set_size` is that of the
    whole file, `data_set_offset` 0.
    """
    file_md5: str = ""
    """Of the whole file (hex), where the source told it with the manifest."""
    notes: tuple[str, ...] = ()
    """What was odd but harmless (file meta that differs, bytes after the data set)."""


class SkippedKind(StrEnum):
    """Why a file is not part of any transfer."""

    NOT_DICOM = "not-dicom"
    DICOMDIR = "dicomdir"
    DUPLICATE = "duplicate"
    BROKEN = "broken"
    NO_UID = "no-uid"
    CONFLICT = "conflict"
    UNSAFE = "unsafe"
    """A UID that must not go into a query, or a path that leads out of the folder that may be read."""

    @property
    def is_harmless(self) -> bool:
        """Whether nothing of the input is lost by leaving it out."""
        return self in {SkippedKind.NOT_DICOM, SkippedKind.DICOMDIR, SkippedKind.DUPLICATE}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out, and why."""

    path: str
    """For a member of a ZIP file: `archive.zip/member`."""
    kind: SkippedKind
    reason: str


@dataclass(frozen=True, slots=True)
class StudyDescription:
    """What people know a study by; nothing that names a patient."""

    text: str = ""
    """StudyDescription (0008,1030) in one line of at most 64 characters."""
    date: str = ""
    """StudyDate (0008,0020) as YYYY-MM-DD."""
    modalities: tuple[str, ...] = ()
    """Each Modality (0008,0060) of the instances once, sorted."""
    series: int = 0
    """How many there are."""


@dataclass(frozen=True, slots=True)
class StudyManifest:
    """The instances of one study, frozen before the first byte."""

    study_instance_uid: str
    entries: tuple[ManifestEntry, ...]
    """One per SOP Instance UID; of conflicting files the first."""
    conflicts: frozenset[str] = frozenset()
    """SOP Instance UIDs for which the input holds other content too."""
    description: StudyDescription = StudyDescription()


@dataclass(frozen=True, slots=True)
class InputManifest:
    """Everything that one input (files, folders, ZIP files) holds."""

    studies: tuple[StudyManifest, ...]
    skipped: tuple[Skipped, ...]

    @property
    def left_out(self) -> int:
        """How many files of the input could not be read and are part of no transfer."""
        return sum(not skipped.kind.is_harmless for skipped in self.skipped)
