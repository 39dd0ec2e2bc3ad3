"""Reads an input (files, folders, ZIP files) into its manifest: which instances of which studies, and what is left out.

Identity comes from the data set of each file; see `part10`. Of files with the same SOP Instance UID the first counts:
the same data set again is a duplicate, any other is a conflict of every study that is concerned.
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from audit.byte_sources import FileBytes, MemberBytes, Window
from audit.confinement import Confinement
from audit.descriptions import Describer
from audit.duplicates import DataSetDigests
from audit.entries import InputManifest, ManifestEntry, Skipped, SkippedKind, StudyManifest
from audit.escaping import printable
from audit.inputs import FoundFile, InputUnreadable, files_in, unreadable
from audit.left_out import LeftOut, broken
from audit.limits import InputLimits
from audit.part10 import Instance, is_part10, not_part10, read_instance
from audit.zip_files import SIGNATURE, ZIP_ERRORS, Unpacking, ZipFiles, descriptor

__all__ = ["InputLimits", "InputUnreadable", "read_input"]

FILES_PER_PROGRESS = 100


def read_input(
    paths: Sequence[str | Path],
    limits: InputLimits = InputLimits(),  # noqa: B008 (it is frozen)
    progress: Callable[[int], None] | None = None,
    within: str | Path | None = None,
) -> InputManifest:
    """Everything that the given files, folders and ZIP files hold, in the order in which it lies there.

    `progress` is told how many files and members were read so far, every 100 of them and at the end. What leads out of
    the folder `within` is not opened but skipped as unsafe; nobody but the administrator must be able to replace that
    folder itself.

    Raises InputUnreadable for a path that does not exist. Whatever else is wrong is in the manifest as skipped.
    """
    reader = _Reader(limits, progress or _no_progress, Confinement(within))
    try:
        for found in files_in(paths, within):
            reader.read(found)
        reader.progress(reader.count)
        return reader.gathered.manifest()
    finally:
        reader.zip_files.close()


class _Gathered:
    """The instances found so far, and what is left out."""

    def __init__(self, digests: DataSetDigests) -> None:
        self._digests = digests
        self._first: dict[str, ManifestEntry] = {}
        """By SOP Instance UID."""
        self._entries: dict[tuple[str, str], ManifestEntry] = {}
        """By Study and SOP Instance UID: of two studies with one instance, neither passes for whole without it."""
        self._conflicts: defaultdict[str, set[str]] = defaultdict(set)
        self._describers: defaultdict[str, Describer] = defaultdict(Describer)
        """By Study Instance UID."""
        self._skipped: list[Skipped] = []

    def add(self, entry: ManifestEntry, values: Mapping[int, bytes]) -> None:
        first = self._first.setdefault(entry.sop_instance_uid, entry)
        if first is entry:
            self._keep(entry, values)
            return
        kind, reason = self._collision(first, entry)
        self.leave_out(_name(entry.path, entry.member), LeftOut(kind, reason))
        if kind is SkippedKind.CONFLICT:
            for study in {first.study_instance_uid, entry.study_instance_uid}:
                self._conflicts[study].add(entry.sop_instance_uid)
            self._keep(entry, values)

    def _keep(self, entry: ManifestEntry, values: Mapping[int, bytes]) -> None:
        if self._entries.setdefault((entry.study_instance_uid, entry.sop_instance_uid), entry) is entry:
            self._describers[entry.study_instance_uid].add(values)

    def leave_out(self, name: str, fault: LeftOut) -> None:
        self._skipped.append(Skipped(printable(name), fault.kind, fault.reason))

    def manifest(self) -> InputManifest:
        studies: defaultdict[str, list[ManifestEntry]] = defaultdict(list)
        for entry in self._entries.values():
            studies[entry.study_instance_uid].append(entry)
        return InputManifest(
            studies=tuple(self._study(uid, entries) for uid, entries in studies.items()),
            skipped=tuple(self._skipped),
        )

    def _study(self, uid: str, entries: Sequence[ManifestEntry]) -> StudyManifest:
        series = len({entry.series_instance_uid for entry in entries})
        description = self._describers[uid].description(series)
        return StudyManifest(uid, tuple(entries), frozenset(self._conflicts[uid]), description)

    def _collision(self, first: ManifestEntry, later: ManifestEntry) -> tuple[SkippedKind, str]:
        name = printable(_name(first.path, first.member))
        try:
            if self._digests.is_same(first, later):
                return SkippedKind.DUPLICATE, f"the same data set as {name}"
        except ZIP_ERRORS as error:
            return (
                SkippedKind.CONFLICT,
                f"it has the SOPInstanceUID of {name}, and comparing them failed ({_text(error)})",
            )
        study = "" if first.study_instance_uid == later.study_instance_uid else ", which is of another study"
        return SkippedKind.CONFLICT, f"other content under the SOPInstanceUID of {name}{study}"


class _Reader:
    """Reads one file after another into what is gathered."""

    def __init__(self, limits: InputLimits, progress: Callable[[int], None], confinement: Confinement) -> None:
        self.progress = progress
        self.count = 0
        self.zip_files = ZipFiles(limits, confinement)
        self.gathered = _Gathered(DataSetDigests(self.zip_files, confinement))
        self._limits = limits
        self._confinement = confinement
        self._unpacking = Unpacking(limits)
        self._names: dict[tuple[int, int], str] = {}

    def read(self, found: FoundFile) -> None:
        """Read a file, or each member of a ZIP file; whatever is wrong with it is noted as left out."""
        self._count()
        try:
            if found.fault:
                raise found.fault
            self._read_file(found.path)
        except LeftOut as fault:
            self.gathered.leave_out(found.path, fault)
        except OSError as error:
            self.gathered.leave_out(found.path, unreadable(error))

    def _read_file(self, path: str) -> None:
        file = self._confinement.open(path)
        try:
            state = os.fstat(file)
            if not stat.S_ISREG(state.st_mode):
                raise broken("it is no regular file any more")
            if self._was_read(path, state):
                return
            source = FileBytes(file, state.st_size)
            window = Window(source)
            if is_part10(window):
                self._add(window, source, state, path)
            elif window.buffer.startswith(SIGNATURE):
                self._read_zip(path)
            else:
                raise not_part10(window, state.st_size)
        finally:
            os.close(file)

    def _was_read(self, path: str, state: os.stat_result) -> bool:
        """Whether the same file was reached before. Raises LeftOut if by another name."""
        first = self._names.setdefault((state.st_dev, state.st_ino), path)
        if first is path:
            return False
        if first != path:
            raise LeftOut(SkippedKind.DUPLICATE, f"the same file as {printable(first)}")
        return True

    def _read_zip(self, path: str) -> None:
        try:
            archive = self.zip_files.get(path)
            state = os.fstat(descriptor(archive))
        except ZIP_ERRORS as error:
            raise broken(f"the ZIP file cannot be read: {_text(error)}") from error
        for member, fault in self._unpacking.members(archive):
            self._count()
            try:
                if fault:
                    raise fault
                self._read_member(archive, member, path, state)
            except LeftOut as found:
                self.gathered.leave_out(_name(path, member.filename), found)
            except ZIP_ERRORS as error:
                self.gathered.leave_out(_name(path, member.filename), broken(f"it cannot be unpacked: {_text(error)}"))

    def _read_member(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: str, state: os.stat_result) -> None:
        with archive.open(member) as stream:
            source = MemberBytes(stream, member.file_size)
            window = Window(source)
            if window.buffer.startswith(SIGNATURE) and not is_part10(window):
                raise LeftOut(SkippedKind.NOT_DICOM, "a ZIP file inside a ZIP file is not opened")
            if not is_part10(window):
                raise not_part10(window, member.file_size)
            self._add(window, source, state, path, member.filename)

    def _add(
        self, window: Window, source: FileBytes | MemberBytes, state: os.stat_result, path: str, member: str = ""
    ) -> None:
        instance = read_instance(window, source, source.size, inflation_limit=self._limits.max_inflated_bytes)
        self.gathered.add(_entry(instance, state, path, member), instance.values)

    def _count(self) -> None:
        self.count += 1
        if not self.count % FILES_PER_PROGRESS:
            self.progress(self.count)


def _no_progress(count: int) -> None:
    """Tell nobody."""


def _entry(instance: Instance, state: os.stat_result, path: str, member: str) -> ManifestEntry:
    return ManifestEntry(
        sop_instance_uid=instance.sop_instance_uid,
        sop_class_uid=instance.sop_class_uid,
        study_instance_uid=instance.study_instance_uid,
        series_instance_uid=instance.series_instance_uid,
        transfer_syntax_uid=instance.transfer_syntax_uid,
        path=path,
        member=member,
        data_set_offset=instance.data_set_offset,
        data_set_size=instance.data_set_size,
        modified_ns=state.st_mtime_ns,
        file_size=state.st_size,
        notes=instance.notes,
    )


def _name(path: str, member: str) -> str:
    return f"{path}/{member}" if member else path


def _text(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
