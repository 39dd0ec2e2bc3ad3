"""Text that comes from files, made fit to be shown: nothing in it can command a terminal or break a line."""

from __future__ import annotations

from typing import Any

QUOTED_CHARACTERS = 80
IT_SAYS = " It says: "
"""Before what a destination wrote, at the end of a reason: all that follows is none of our words."""


def quoted(value: str) -> str:
    """A value of an element in quotes, cut where it is long, with everything escaped that is not printable ASCII."""
    return ascii(value if len(value) <= QUOTED_CHARACTERS else value[:QUOTED_CHARACTERS] + "...")


def printable(name: str) -> str:
    """The name of a file with everything escaped that is not printable."""
    if name.isprintable():
        return name
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in name
    )


def without_nul(value: Any) -> Any:
    """A JSON value whose texts hold no NUL, which PostgreSQL cannot store."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {name: without_nul(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_nul(each) for each in value]
    return value
