"""How a destination is asked afterwards: none, presence, content, or content:15% for a sample. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

ALL = 100
PATTERN = r"^(none|presence|content(:([1-9][0-9]?|100)%)?)$"
"""Of every spelling, for a schema."""


class Level(StrEnum):
    """How far the asking goes; each includes the one before."""

    NONE = "none"
    PRESENCE = "presence"
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class Verification:
    """What is asked once everything was sent."""

    level: Level
    sample_percent: int = ALL
    """Of how many instances the content is compared, from 1 to 100; of the others only presence is asked."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError, naming what can be said, for anything else."""
        if re.fullmatch(PATTERN[1:-1], text) is None:
            raise ValueError(
                f"“{text}” is no way to verify. There are none, presence, content, "
                "and content:15% for a sample (a whole number from 1 to 100)."
            )
        level, _, percent = text.partition(":")
        return cls(Level(level), int(percent.rstrip("%") or ALL))

    def __str__(self) -> str:
        return self.level if self.sample_percent == ALL else f"{self.level}:{self.sample_percent}%"

    @property
    def asks(self) -> bool:
        """Whether the destination is asked for anything."""
        return self.level is not Level.NONE

    @property
    def compares_content(self) -> bool:
        return self.level is Level.CONTENT
