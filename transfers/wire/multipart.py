"""The one part of a multipart/related answer (RFC 2046 5.1, PS3.18 8.6.1.2), taken out while it comes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from email.message import Message
from email.parser import BytesHeaderParser

from transfers.errors import AnswerCut, MalformedAnswer, NotTheService

_LONGEST_HEAD = 16 * 1024
_LONGEST_BOUNDARY = 70
_LINE_END = b"\r\n"


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type names. Raises MalformedAnswer where it names none."""
    message = Message()
    message["Content-Type"] = content_type
    try:
        boundary = message.get_param("boundary")
    except TypeError:  # the library trips over numbered parameters beside one without a number (RFC 2231 3)
        boundary = None
    if not isinstance(boundary, str) or not 0 < len(boundary) <= _LONGEST_BOUNDARY or not boundary.isascii():
        raise MalformedAnswer("The answer is made of parts, and does not say what stands between them.")
    return boundary.encode("ascii")


def only_part(chunks: Iterable[bytes], boundary: bytes, media_type: str) -> Iterator[bytes]:
    """Yield the content of the only part; no more than a chunk and a boundary are held at a time.

    Raises AnswerCut where the closing boundary does not come, NotTheService where the part is of another media type,
    and MalformedAnswer where there is no part, or more than one.
    """
    source = iter(chunks)
    delimiter = _LINE_END + b"--" + boundary
    # The first boundary may open the body, with no line end before it (RFC 2046 5.1.1).
    held = _through(source, bytearray(_LINE_END), delimiter)
    _take_head(source, held, media_type)
    while (end := held.find(delimiter)) < 0:
        yield _taken(held, len(held) - len(delimiter) + 1)
        held += _next(source)
    yield _taken(held, end)
    del held[: len(delimiter)]
    while len(held) < 2:
        held += _next(source)
    if not held.startswith(b"--"):
        raise MalformedAnswer("The service answered with more than the one instance that was asked for.")
    for _ in source:  # to its end, so that the connection can be used again
        pass


def _through(source: Iterator[bytes], held: bytearray, delimiter: bytes) -> bytearray:
    """What follows the first delimiter."""
    while (found := held.find(delimiter)) < 0:
        if len(held) > _LONGEST_HEAD:
            raise MalformedAnswer("The answer should be made of parts, and none begins.")
        held += _next(source)
    return held[found + len(delimiter) :]


def _take_head(source: Iterator[bytes], held: bytearray, media_type: str) -> None:
    """Take the header fields of the part, and what closes them, off the front."""
    end_of_head = 2 * _LINE_END
    while (end := held.find(end_of_head)) < 0:
        if held.startswith(b"--"):
            raise MalformedAnswer("The service answered with no instance.")
        if len(held) > _LONGEST_HEAD:
            raise MalformedAnswer("The head of the answer's part has no end.")
        held += _next(source)
    head = BytesHeaderParser().parsebytes(bytes(held[:end]).partition(_LINE_END)[2])
    if "Content-Type" in head and head.get_content_type() != media_type:
        raise NotTheService(f"The service answered with something else than {media_type}.")
    # The line end before the content belongs to the head, and may begin a boundary where the content is empty.
    del held[: end + len(_LINE_END)]
    if held.startswith(_LINE_END):
        del held[: len(_LINE_END)]


def _taken(held: bytearray, count: int) -> bytes:
    taken = bytes(held[: max(0, count)])
    del held[: max(0, count)]
    return taken


def _next(source: Iterator[bytes]) -> bytes:
    for chunk in source:
        return chunk
    raise AnswerCut
