"""What is read of compressed input at most."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1024**2
GIGABYTE = 1024**3


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
