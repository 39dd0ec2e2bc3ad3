"""What a destination writes, made fit to be stored and shown: it comes from outside, and may hold anything."""

from __future__ import annotations

from audit.escaping import quoted
from audit.uids import UnsafeUid, uid_of

LONGEST_TEXT = 200
"""An Error Comment is a LO of at most 64 characters (PS3.7 E.2), but a destination may send anything."""


def clean_text(text: str) -> str:
    """Return a text without control characters and of bounded length."""
    printable = "".join(character if character.isprintable() else " " for character in text[: LONGEST_TEXT * 2])
    return " ".join(printable.split())[:LONGEST_TEXT]


def uid_text(value: bytes) -> str:
    """Return a UID without its padding; one that could do harm is escaped and quoted, and so equals no other UID.

    Such a value still has to be told from none: a row that names it speaks of something, though not of ours.
    """
    value = value.strip(b"\0 ")
    try:
        return uid_of(value)
    except UnsafeUid:
        return quoted(value.decode("latin-1"))
