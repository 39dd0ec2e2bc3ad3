"""Failure and Warning Reason of STOW-RS, in plain words (PS3.18 I.2, PS3.4 B.2.3, PS3.7 C). Pure."""

from __future__ import annotations

from collections.abc import Mapping

_FAILURES: Mapping[int, str] = {
    0x0106: "A value is not accepted",
    0x0110: "Processing failure: it could not be stored",
    0x0117: "The SOP Instance UID is not accepted",
    0x0118: "The SOP class is not known",
    0x0119: "The SOP class is not that of the instance",
    0x0122: "The SOP class is not supported",
    0x0124: "We are not allowed to store it",
    0x0213: "Out of resources for now",
    0xA901: "It is of another study than it was stored under (43265, a vendor's reason)",
    0xC122: "The transfer syntax is not supported",
}
_FAILURE_RANGES: tuple[tuple[range, str], ...] = (
    (range(0xA700, 0xA800), "Out of resources: there is no room for it"),
    (range(0xA900, 0xAA00), "The data set does not match the SOP class"),
    (range(0xC000, 0xD000), "The data set cannot be understood"),
)
_UNCLEAR: Mapping[int, str] = {
    0x0111: "There is an instance with this SOP Instance UID already, and what is in it was not said",
    0xB00E: "An instance with the same UIDs is stored there already, and was left as it is (45070, a vendor's reason)",
    0xB00F: "An instance with the same UIDs is just being stored there by another (45071, a vendor's reason)",
}
"""It says that there is one, or soon will be, and not what is in it."""
_WARNINGS: Mapping[int, str] = {
    0xB000: "Elements were coerced",
    0xB006: "Elements were left out",
    0xB007: "The data set does not match the SOP class",
}


def store_failure_text(reason: int) -> str:
    """A sentence without its full stop."""
    known = _FAILURES.get(reason) or _UNCLEAR.get(reason)
    in_range = next((text for numbers, text in _FAILURE_RANGES if reason in numbers), None)
    return known or in_range or "A reason that no table of DICOM lists"


def is_listed(reason: int) -> bool:
    """Whether DICOM's tables list it as a failure to store."""
    return reason in _FAILURES or any(reason in numbers for numbers, _ in _FAILURE_RANGES)


def store_warning_text(reason: int) -> str:
    """A sentence without its full stop."""
    return f"Warning: {_WARNINGS.get(reason, 'one that no table of DICOM lists')}"
