"""How long native pixel data must be for its image (PS3.3 C.7.6.3, PS3.5 8.1)."""

from __future__ import annotations

from collections.abc import Mapping

SAMPLES_PER_PIXEL = 0x00280002
PHOTOMETRIC_INTERPRETATION = 0x00280004
NUMBER_OF_FRAMES = 0x00280008
ROWS = 0x00280010
COLUMNS = 0x00280011
BITS_ALLOCATED = 0x00280100
DESCRIBING_PIXELS = frozenset(
    {SAMPLES_PER_PIXEL, PHOTOMETRIC_INTERPRETATION, NUMBER_OF_FRAMES, ROWS, COLUMNS, BITS_ALLOCATED}
)


def native_length(values: Mapping[int, bytes], *, is_little_endian: bool) -> int | None:
    """Bytes of the pixels that these elements describe, without padding; None where they do not say."""
    factors = []
    for tag in (SAMPLES_PER_PIXEL, ROWS, COLUMNS, BITS_ALLOCATED):
        value = values.get(tag, b"")
        if len(value) != 2:
            return None
        factors.append(int.from_bytes(value, "little" if is_little_endian else "big"))
    frames = values.get(NUMBER_OF_FRAMES, b"").strip(b"\0 ") or b"1"
    if not frames.isdigit():
        return None
    samples, rows, columns, bits = factors
    if b"_422" in values.get(PHOTOMETRIC_INTERPRETATION, b""):
        samples = 2  # every second pixel has both chrominances
    return (samples * rows * columns * int(frames) * bits + 7) // 8
