"""One spelling of a JSON value, so that equal values have equal digests on every database and machine. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime

canonical = json.JSONEncoder(check_circular=False, sort_keys=True, separators=(",", ":")).encode
"""Keys in the order of their code points, no white space, everything beyond ASCII escaped."""


def canonical_instant(at: datetime) -> str:
    """In UTC, to the microsecond, without saying so: as Django keeps instants in SQLite. A naive one is in UTC."""
    if at.tzinfo is not None:
        at = at.astimezone(UTC)
    return at.isoformat(" ", "microseconds")[:26]


def sha256_of(text: str) -> str:
    """Hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


class LinesDigest:
    """The SHA-256 of lines, each ended by a line feed, taken as they come."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._sha256 = hashlib.sha256()
        self.add(lines)

    def add(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._sha256.update(line.encode() + b"\n")

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()
