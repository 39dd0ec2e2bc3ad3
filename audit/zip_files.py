"""ZIP files that hold DICOM files: opened within limits, kept open while they are needed, never extracted."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import IO

from audit.confinement import Confinement, name_of
from audit.left_out import LeftOut, broken
from audit.limits import InputLimits

KEPT_OPEN = 4
SIGNATURE = b"PK\x03\x04"
"""How a ZIP file with at least one member begins."""
READABLE_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""bzip2 and LZMA may inflate a few KB to gigabytes in one step."""
ENCRYPTED = 0x1
DIRECTORY_BYTES_PER_MEMBER = 192
"""More than a member's record in the central directory has on average; 46 and its name."""

ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""Everything that `zipfile` raises over a damaged, encrypted or unknown kind of ZIP file."""


class ZipFiles:
    """ZIP files kept open, the latest few. For one thread."""

    def __init__(self, limits: InputLimits | None = None, confinement: Confinement | None = None) -> None:
        """Without limits, only for what was read within limits before; without confinement, from anywhere."""
        self._limits = limits
        self._confinement = confinement or Confinement()
        self._open: OrderedDict[str, zipfile.ZipFile] = OrderedDict()

    def get(self, path: str) -> zipfile.ZipFile:
        """The ZIP file of this path, as it was when it was opened first. Raises ZIP_ERRORS."""
        archive = self._open.pop(path, None) or self._opened(path)
        self._open[path] = archive
        if len(self._open) > KEPT_OPEN:
            self._open.popitem(last=False)[1].close()
        return archive

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def _opened(self, path: str) -> zipfile.ZipFile:
        file = self._confinement.open(path)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError("it is not a regular file any more")
            name = name_of(file, path)
            if self._limits:
                _check_directory(name, self._limits.max_members)
            return zipfile.ZipFile(name)
        finally:
            os.close(file)


class Unpacking:
    """Holds the members of an input's ZIP files against the limits."""

    def __init__(self, limits: InputLimits) -> None:
        self._limits = limits
        self._total_bytes = 0

    def members(self, archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, LeftOut | None]]:
        """The members that are files, each with the fault for which it must not be unpacked."""
        members = [member for member in archive.infolist() if not member.is_dir()]
        for number, member in enumerate(members, 1):
            yield member, self._fault(archive, number, member)

    def _fault(self, archive: zipfile.ZipFile, number: int, member: zipfile.ZipInfo) -> LeftOut | None:
        limits = self._limits
        if number > limits.max_members:
            return broken(f"the ZIP file has more members than the limit of {limits.max_members} (max_members)")
        if member.flag_bits & ENCRYPTED:
            return broken("it is encrypted; unpack the ZIP file first")
        if member.compress_type not in READABLE_METHODS:
            return broken(
                f"it is compressed by method {member.compress_type}, which is not read; unpack the ZIP file first"
            )
        if archive.getinfo(member.filename) is not member:
            return broken("a later member of the ZIP file has the same name")
        if member.file_size > limits.ratio_counts_from_bytes and (
            member.file_size > limits.max_ratio * member.compress_size
        ):
            return broken(f"it unpacks to more than {limits.max_ratio} times its size, the limit (max_ratio)")
        if self._total_bytes + member.file_size > limits.max_total_bytes:
            return broken(
                f"the ZIP files unpack to more than the limit of {limits.max_total_bytes} bytes (max_total_bytes)"
            )
        self._total_bytes += member.file_size
        return None


def descriptor(archive: zipfile.ZipFile) -> int:
    """The file descriptor of an open ZIP file."""
    assert archive.fp is not None
    return archive.fp.fileno()


_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_ZIP64_LOCATOR_SIZE = 20
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_ZIP64_END_SIGNATURE = b"PK\x06\x06"
_LONGEST_COMMENT = 65535


def _check_directory(path: str, max_members: int) -> None:
    """Refuse far too many members: `zipfile` makes an object of each before they can be counted."""
    with open(path, "rb") as file:
        size = _directory_size(file)
    if size > max_members * DIRECTORY_BYTES_PER_MEMBER:
        raise zipfile.BadZipFile(f"it has more members than the limit of {max_members} (max_members)")


def _directory_size(file: IO[bytes]) -> int:
    """How large the central directory says it is; 0 where its end is not found, which `zipfile` will complain about."""
    size = file.seek(0, os.SEEK_END)
    longest = _ZIP64_END.size + _ZIP64_LOCATOR_SIZE + _END.size + _LONGEST_COMMENT
    file.seek(max(0, size - longest))
    tail = file.read()
    start = tail.rfind(_END_SIGNATURE)
    if start < 0 or start + _END.size > len(tail):
        return 0
    start64 = start - _ZIP64_LOCATOR_SIZE - _ZIP64_END.size
    if start64 >= 0 and tail.startswith(_ZIP64_END_SIGNATURE, start64):
        return int(_ZIP64_END.unpack_from(tail, start64)[8])
    return int(_END.unpack_from(tail, start)[5])
