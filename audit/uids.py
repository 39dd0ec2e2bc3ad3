"""UIDs as files hold them (PS3.5 9.1 and 6.2, VR UI), and which of them may go into requests, lists and reports.

A UID has digits and dots only, but real files hold others (hexadecimal ones, "999.999.2.a"), which archives store and
list all the same. So only what could do harm is unsafe: wildcards and backslashes (a query would mean something else),
white space, control characters and what is not ASCII, and more than 64 characters.
"""

from __future__ import annotations

import re

from audit.escaping import quoted

MAXIMUM_LENGTH = 64

_SAFE = re.compile(rb"[!-)+->@-\[\]-~]{1,64}")
_REGULAR = re.compile(r"[0-9.]+")


class UnsafeUid(ValueError):
    """The UID must not be used; the message says why, with every odd character escaped."""


def uid_of(value: bytes) -> str:
    """The UID in an element's value, without its padding; empty where there is none.

    Raises UnsafeUid.
    """
    value = value.rstrip(b"\0 ")
    if not value:
        return ""
    if _SAFE.fullmatch(value):
        return value.decode("ascii")
    raise UnsafeUid(f"{_fault(value)}: {quoted(value.decode('latin-1'))}")


def is_regular(uid: str) -> bool:
    """Whether it holds nothing but digits and dots."""
    return _REGULAR.fullmatch(uid) is not None


def _fault(value: bytes) -> str:
    if b"\\" in value:
        return "has more than one value"
    if b"*" in value or b"?" in value:
        return "holds a wildcard"
    if any(byte > 0x7F for byte in value):
        return "holds a character that is not ASCII"
    if any(byte <= 0x20 or byte == 0x7F for byte in value):
        return "holds white space or a control character"
    return f"is longer than {MAXIMUM_LENGTH} characters"
