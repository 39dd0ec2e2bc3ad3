"""Where an instance is kept while it is compared: in memory only while it is small."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from tempfile import SpooledTemporaryFile
from threading import Event
from types import TracebackType
from typing import BinaryIO, Self, cast

from transfers.errors import InstanceTooLarge, SpoolFailed, TransferStopped

MEMORY_BYTES = 1 << 20
"""Of one instance; what is larger goes into an anonymous file."""
_SUCCESS = 0x0000
_OUT_OF_RESOURCES = 0xA700


class Spool:
    """Takes one instance, fragment by fragment. A context manager: nothing of it is left afterwards.

    Without room for the rest (a full disk) it takes what comes all the same and keeps `error`, so that the
    destination can be answered; beyond `limit_bytes` it raises InstanceTooLarge.
    """

    def __init__(self, limit_bytes: int, folder: Path | None = None, *, digests: bool = False) -> None:
        """`digests`: whether SHA-256 is taken of all of it as it comes."""
        self.size = 0
        self.error: SpoolFailed | None = None
        """Why not all of it was kept."""
        self._limit_bytes = limit_bytes
        self._sha256 = hashlib.sha256() if digests else None
        self._file = temporary_file(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self.close()

    def write(self, fragment: bytes, /) -> None:
        """Raises InstanceTooLarge."""
        self.size += len(fragment)
        if self.size > self._limit_bytes:
            raise InstanceTooLarge(
                f"The destination sent more than {self._limit_bytes:,} bytes for one instance, more than any encoding "
                "of what was sent takes. What it holds was not read to the end."
            )
        if self._sha256 is not None:
            self._sha256.update(fragment)
        if self.error is None:
            self._keep(fragment)

    @property
    def status_code(self) -> int:
        """What a C-STORE of it is answered with."""
        return _OUT_OF_RESOURCES if self.error else _SUCCESS

    def hexdigest(self) -> str:
        """SHA-256 of all that was written, where it was asked for."""
        assert self._sha256 is not None, "nothing was digested"
        return self._sha256.hexdigest()

    def stream(self) -> BinaryIO:
        """All of it, to be read and moved about in. Raises SpoolFailed where not all was kept."""
        if self.error is not None:
            raise self.error
        try:
            self._file.seek(0)
        except OSError as error:  # what was written last waited for room until now
            raise _failed(error) from error
        return self._file

    def close(self) -> None:
        with contextlib.suppress(OSError):  # a full disk says so once more; the file is gone all the same
            self._file.close()

    def _keep(self, fragment: bytes) -> None:
        try:
            self._file.write(fragment)
        except OSError as error:
            self.error = _failed(error)


def temporary_file(folder: Path | None) -> BinaryIO:
    """Return a file without a name, in memory until it is larger than MEMORY_BYTES."""
    where = None if folder is None else str(folder)
    return cast(BinaryIO, SpooledTemporaryFile(max_size=MEMORY_BYTES, dir=where))


class StoppableStream(io.RawIOBase):
    """A stream whose reading ends with TransferStopped soon after the event is set."""

    def __init__(self, stream: BinaryIO, stop: Event) -> None:
        super().__init__()
        self._stream = stream
        self._is_stopped: Callable[[], bool] = stop.is_set

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        self._check()
        return self._stream.read(-1 if size is None else size)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # no other buffer is given
        self._check()
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def _check(self) -> None:
        if self._is_stopped():
            raise TransferStopped("The transfer was stopped before what was read back was compared.")


def _failed(error: OSError) -> SpoolFailed:
    return SpoolFailed(f"{SpoolFailed()} ({error.strerror or type(error).__name__})")
