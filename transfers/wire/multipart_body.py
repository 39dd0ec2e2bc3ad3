"""Files as the body of a multipart/related request (RFC 2046 5.1, RFC 2387, PS3.18 8.6.1). Pure."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

MEDIA_TYPE = "application/dicom"


class Part(Protocol):
    """One file."""

    size: int
    """In bytes."""

    def chunks(self) -> Iterator[bytes]: ...


class MultipartBody:
    """The parts one after another, each written when it is asked for; nothing is held but a chunk."""

    def __init__(self) -> None:
        # 128 random bits: that they occur in a file cannot be brought about, and need not be looked for.
        self._boundary = f"tallyman-{secrets.token_hex(16)}"
        self._end = f"--{self._boundary}--\r\n".encode()

    @property
    def content_type(self) -> str:
        return f'multipart/related; type="{MEDIA_TYPE}"; boundary={self._boundary}'

    def length(self, sizes: Sequence[int]) -> int:
        """Of the whole body, for files of these sizes."""
        return sum(len(self._head(size)) + size + 2 for size in sizes) + len(self._end)

    def chunks(self, parts: Iterable[Part]) -> Iterator[bytes]:
        """Small files go out in one piece with what stands before them."""
        before = b""
        for part in parts:
            before += self._head(part.size)
            for chunk in part.chunks():
                yield before + chunk if before else chunk
                before = b""
            before += b"\r\n"
        yield before + self._end

    def _head(self, size: int) -> bytes:
        return f"--{self._boundary}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {size}\r\n\r\n".encode()
