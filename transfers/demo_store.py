"""The folder of the demo archive: each instance a Part 10 file (PS3.10 7.1), durable before it is answered for.

No Django, no network. Files lie under `study/series/instance.dcm`, named by their UIDs where those keep the rules of
PS3.5 9.1, else by a hash of them: no UID leads out of the folder.
"""

from __future__ import annotations

import logging
import os
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from threading import Lock
from uuid import uuid4

from transfers.demo_index import DemoIndex, IndexedInstance, read_instance

logger = logging.getLogger(__name__)

INCOMING = "incoming"
SUFFIX = ".dcm"
IMPLEMENTATION_CLASS_UID = "2.25.236203176463108526214108064103573166481"
CANNOT_UNDERSTAND, DOES_NOT_MATCH_SOP_CLASS = 0xC000, 0xA900
"""PS3.4 B.2.3."""
NO_SUCH_OBJECT_INSTANCE, CLASS_INSTANCE_CONFLICT = 0x0112, 0x0119
"""PS3.3 C.14.1.1."""
VALID_UID = re.compile(r"(?=.{1,64}\Z)[0-9]+(\.[0-9]+)*")


class UnsuitableDataSet(Exception):
    """What was received cannot be stored as the instance that it was announced as."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code


class ContentDiffers(Exception):
    """Other content is stored under this SOP Instance UID, and stays."""


@dataclass(frozen=True, slots=True)
class ReceivedInstance:
    """The data set as it was encoded on the wire, and what the C-STORE-RQ and its context say of it."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set: bytes | memoryview


class DemoStore:
    """Safe to use from several threads, not from several processes."""

    def __init__(self, folder: Path) -> None:
        """Make the folder and index what it holds; raises OSError where it cannot be written to."""
        self.folder = folder
        self.index = DemoIndex()
        self._incoming = folder / INCOMING
        self._lock = Lock()
        self._incoming.mkdir(parents=True, exist_ok=True)
        for leftover in self._incoming.iterdir():
            leftover.unlink()
        self._try_to_write()
        self._read_folder()

    def store(self, received: ReceivedInstance) -> None:
        """Store it durably, unless the same content is there.

        Raises UnsuitableDataSet, ContentDiffers, or OSError where the folder takes no more.
        """
        known = self.index.get(received.sop_instance_uid)
        if known is not None:
            _compare(known, received)
            return
        temporary = self._incoming / f"{uuid4().hex}.part"
        try:
            _write_durably(temporary, [_file_meta(received), received.data_set])
            self._publish(_identified(temporary, received), received)
        finally:
            temporary.unlink(missing_ok=True)

    def failure_reason(self, sop_class_uid: str, sop_instance_uid: str) -> int | None:
        """Why the instance cannot be committed to (PS3.3 C.14.1.1); None where its file, read again, holds it whole."""
        known = self.index.get(sop_instance_uid)
        if known is None:
            return NO_SUCH_OBJECT_INSTANCE
        if known.values["SOPClassUID"] != sop_class_uid:
            return CLASS_INSTANCE_CONFLICT
        try:
            found = read_instance(known.path)
        except Exception:  # noqa: BLE001 whatever the system and pydicom make of a file that is gone or damaged
            return NO_SUCH_OBJECT_INSTANCE
        is_same = (found.size, found.sop_instance_uid, found.values["SOPClassUID"]) == (
            known.size,
            sop_instance_uid,
            sop_class_uid,
        )
        return None if is_same else NO_SUCH_OBJECT_INSTANCE

    def _publish(self, instance: IndexedInstance, received: ReceivedInstance) -> None:
        """Give the file its name; of two that arrive at once the second is compared with the first."""
        with self._lock:
            known = self.index.get(instance.sop_instance_uid)
            if known is None:
                path = self._path(instance)
                if path.exists():
                    raise ContentDiffers(f"{path.name} is in the way and could not be read")
                _make_folder(path.parent, self.folder)
                instance.path.rename(path)
                _sync_folder(path.parent)
                self.index.add(replace(instance, path=path))
        if known is not None:
            _compare(known, received)

    def _path(self, instance: IndexedInstance) -> Path:
        study, series, name = (
            file_name(instance.values[keyword])
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        )
        return self.folder / study / series / f"{name}{SUFFIX}"

    def _try_to_write(self) -> None:
        attempt = self._incoming / f"{uuid4().hex}.part"
        attempt.touch()
        attempt.unlink()

    def _read_folder(self) -> None:
        for path in sorted(self.folder.rglob(f"*{SUFFIX}")):
            try:
                self.index.add(read_instance(path))
            except Exception as error:  # noqa: BLE001 whatever pydicom makes of a file that is not ours
                logger.warning(
                    "A file of the demo archive cannot be read", extra={"file": path.name, "error": str(error)}
                )


def file_name(uid: str) -> str:
    """The name of what has this UID, safe as a part of a path."""
    if VALID_UID.fullmatch(uid):
        return uid
    return "uid-" + sha256(uid.encode()).hexdigest()


def _identified(path: Path, received: ReceivedInstance) -> IndexedInstance:
    """Read back what was written; raises UnsuitableDataSet where it is not what was announced."""
    try:
        instance = read_instance(path)
    except Exception as error:
        raise UnsuitableDataSet(CANNOT_UNDERSTAND, "The data set cannot be decoded") from error
    if instance.sop_instance_uid != received.sop_instance_uid:
        raise UnsuitableDataSet(CANNOT_UNDERSTAND, "The data set has another SOP Instance UID")
    if instance.values["SOPClassUID"] != received.sop_class_uid:
        raise UnsuitableDataSet(DOES_NOT_MATCH_SOP_CLASS, "The data set has another SOP Class UID")
    if not (instance.values["StudyInstanceUID"] and instance.values["SeriesInstanceUID"]):
        raise UnsuitableDataSet(CANNOT_UNDERSTAND, "Study or Series Instance UID is missing")
    return instance


def _compare(known: IndexedInstance, received: ReceivedInstance) -> None:
    """Raises ContentDiffers unless the data sets are the same bytes in the same transfer syntax."""
    is_same = known.transfer_syntax_uid == received.transfer_syntax_uid and _data_set(known.path) == received.data_set
    if not is_same:
        raise ContentDiffers("Other content is stored under this SOP Instance UID")


def _data_set(path: Path) -> bytes:
    """The data set of a Part 10 file that begins with its group length, as every one should."""
    content = path.read_bytes()
    group_length: int = struct.unpack_from("<L", content, 140)[0]
    return content[144 + group_length :]


def _file_meta(received: ReceivedInstance) -> bytes:
    """Preamble, prefix and file meta group (PS3.10 7.1), packed by hand: nothing that was received is changed."""
    uids = {
        0x0002: received.sop_class_uid,
        0x0003: received.sop_instance_uid,
        0x0010: received.transfer_syntax_uid,
        0x0012: IMPLEMENTATION_CLASS_UID,
    }
    version = struct.pack("<HH2sHL", 0x0002, 0x0001, b"OB", 0, 2) + b"\0\1"
    group = version + b"".join(_uid_element(element, uid) for element, uid in uids.items())
    return b"\0" * 128 + b"DICM" + struct.pack("<HH2sHL", 0x0002, 0x0000, b"UL", 4, len(group)) + group


def _uid_element(element: int, uid: str) -> bytes:
    value = uid.encode("ascii", "replace")
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HH2sH", 0x0002, element, b"UI", len(value)) + value


def _write_durably(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    with path.open("xb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path, root: Path) -> None:
    """Make a folder below the root, each new name of it durable."""
    if not folder.is_dir():
        if folder != root:
            _make_folder(folder.parent, root)
        folder.mkdir()
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
