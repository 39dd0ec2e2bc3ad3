"""Files that come with a form: written straight to the data folder, one after another, each closed when it is whole.

Django's own handlers keep every file of a request open; a folder of a thousand files would need as many descriptors.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from io import FileIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

CHUNK_BYTES = 256 * 1024


class ReceivedFile(UploadedFile):  # type: ignore[type-arg]  # at run time it takes none
    """A file that lies at `path` until it is moved elsewhere, or the request ends."""

    def __init__(self, name: str, content_type: str) -> None:
        super().__init__(None, name, content_type, size=0)
        descriptor, path = tempfile.mkstemp(prefix="received-", dir=settings.FILE_UPLOAD_TEMP_DIR)
        self.path = Path(path)
        self._stream = os.fdopen(descriptor, "wb", buffering=0)  # a buffer would fail once more where the disk is full
        self._discard = weakref.finalize(self, _discard, self._stream, self.path)
        self._digest = hashlib.sha256()

    def take(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[self._stream.write(view) :]
        self._digest.update(chunk)

    def complete(self, size_bytes: int) -> None:
        self._stream.close()
        self.size = size_bytes

    @property
    def sha256(self) -> str:
        """Hexadecimal, of its bytes."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """The end of the request: delete it, unless it was moved."""
        self._discard()


def _discard(stream: FileIO, path: Path) -> None:
    stream.close()
    path.unlink(missing_ok=True)


class ReceiveToDisk(FileUploadHandler):
    """The only upload handler (FILE_UPLOAD_HANDLERS): what it made is in `request.FILES`."""

    chunk_size = CHUNK_BYTES
    _file: ReceivedFile | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._file = ReceivedFile(self.file_name or "", self.content_type or "")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:  # noqa: ARG002  in order, one after another
        assert self._file is not None
        self._file.take(raw_data)

    def file_complete(self, file_size: int) -> ReceivedFile | None:
        received, self._file = self._file, None
        if received is not None:
            received.complete(file_size)
        return received

    def upload_interrupted(self) -> None:
        if self._file is not None:
            self._file.close()
