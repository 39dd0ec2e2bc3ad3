"""Header fields that every request to an archive carries besides ours, as an administrator spells them."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110 5.1 and 5.6.2."""
_VALUE = re.compile(r"[!-~\x80-\xff]([ \t!-~\x80-\xff]*[!-~\x80-\xff])?")
"""RFC 9110 5.5."""
_OURS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "authorization", "content-type", "accept"}
)
MOST = 20


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Raises ValueError, saying what is wrong and repeating no value, for what no request could carry."""
    if len(headers) > MOST:
        raise ValueError(f"A request carries at most {MOST} headers of your own.")
    return {name: _checked(name, value) for name, value in headers.items()}


def parse_headers(text: str) -> dict[str, str]:
    """Lines of `Name: value`. Raises ValueError, saying what is wrong and repeating no value."""
    headers: dict[str, str] = {}
    for number, line in enumerate(filter(str.strip, text.splitlines()), 1):
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"Line {number} is no header: write Name: value.")
        headers[name.strip()] = value.strip()
    return checked_headers(headers)


def _checked(name: str, value: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError("The name of a header has letters, digits and hyphens only.")
    if name.lower() in _OURS:
        raise ValueError(f"{name} is set by Tallyman: for credentials there are fields of their own.")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"The value of {name} is empty, or has characters that no header may have.")
    return value
