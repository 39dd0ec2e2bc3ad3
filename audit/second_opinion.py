"""pydicom's reading of a data set that our own walk cannot follow."""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection
from typing import BinaryIO, cast

from pydicom.dataelem import RawDataElement
from pydicom.filereader import data_element_generator

from audit.byte_sources import Window
from audit.encodings import HEADER_SIZES, UNDEFINED_LENGTH, Encoding, tag_name
from audit.escaping import quoted
from audit.left_out import LeftOut, broken, cut

LONGEST_VALUE = 1024
HISTORY_BYTES = 65536
"""How far pydicom may go back without a ZIP member being decompressed from its beginning again."""


def values_by_pydicom(
    window: Window, start: int, encoding: Encoding, wanted: Collection[int], *, of_any_vr: Collection[int] = ()
) -> dict[int, bytes]:
    """The values of the wanted elements as pydicom finds them; only those `of_any_vr` may have one that is unknown.

    Raises LeftOut with the name of pydicom's exception, never with what it says: that may quote values.
    """
    stream = _Stream(window, start)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _values(stream, encoding, wanted, of_any_vr)
    except LeftOut:
        raise
    except Exception as error:
        raise broken(f"it cannot be read: pydicom raises {type(error).__name__}") from error


def _values(
    stream: _Stream, encoding: Encoding, wanted: Collection[int], of_any_vr: Collection[int]
) -> dict[int, bytes]:
    values = {}
    elements = data_element_generator(
        cast(BinaryIO, stream), encoding.is_implicit, encoding.is_little_endian, defer_size=LONGEST_VALUE
    )
    for element in elements:
        if not isinstance(element, RawDataElement):
            continue
        if element.tag >> 16 == 0x7FE0:
            _check_end(stream, element)
        if element.tag in wanted and isinstance(element.value, bytes | None):
            values[int(element.tag)] = element.value or b""
            if element.tag not in of_any_vr:
                _check_vr(element)
    return values


def _check_vr(element: RawDataElement) -> None:
    if element.VR is not None and element.VR.encode("latin-1") not in HEADER_SIZES:
        raise broken(f"its element {tag_name(element.tag)} has the unknown VR {quoted(element.VR)}")


def _check_end(stream: _Stream, element: RawDataElement) -> None:
    end = element.value_tell + element.length
    if element.length != UNDEFINED_LENGTH and end > stream.size:
        raise cut(tag_name(element.tag), end - stream.size)


class _Stream(io.RawIOBase):
    """What pydicom reads from: the source of a window, from any position."""

    def __init__(self, window: Window, position: int) -> None:
        super().__init__()
        self.size = window.find_size()
        self._window = window.with_history(HISTORY_BYTES)
        self._position = position

    def read(self, size: int = -1, /) -> bytes:
        content = self._window.read(self._position, self.size - self._position if size < 0 else size)
        self._position += len(content)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        return self._position
