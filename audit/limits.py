"""What is read of compressed input at most, and of an instance that an archive hands over."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.uid import DeflatedExplicitVRLittleEndian

from audit.entries import ManifestEntry

MEGABYTE = 1024**2
GIGABYTE = 1024**3
_ALLOWANCE_BYTES = 16 * MEGABYTE
_DEFLATED_FACTOR = 64


@dataclass(frozen=True, slots=True)
class InputLimits:
    """What goes beyond is reported as broken, with the name of the limit; it is never dropped silently."""

    max_members: int = 100_000
    """Members of one ZIP file."""
    max_total_bytes: int = 100 * GIGABYTE
    """Uncompressed bytes of the members of all ZIP files of an input together."""
    max_ratio: int = 1000
    """Uncompressed to compressed size of a member larger than `ratio_counts_from_bytes`."""
    ratio_counts_from_bytes: int = 100 * MEGABYTE
    max_inflated_bytes: int = 8 * GIGABYTE
    """Inflated size of one data set whose transfer syntax is deflated (PS3.5 A.5)."""


def most_bytes_of(entry: ManifestEntry) -> int:
    """How many bytes an instance may have that is still the one that was sent, in whatever encoding of the same pixels.

    Explicit and implicit VR, undefined lengths and a file meta group cost a little; a deflated data set may come
    inflated.
    """
    factor = _DEFLATED_FACTOR if entry.transfer_syntax_uid == DeflatedExplicitVRLittleEndian else 2
    return factor * entry.data_set_size + _ALLOWANCE_BYTES
