"""Failure and Warning Reason of STOW-RS, in plain words (PS3.18 Tables 10.5.3-2 and I.2.2, PS3.4 B.2.3). Pure."""

from __future__ import annotations

from collections.abc import Mapping

_FAILURES: Mapping[int, str] = {
    0x0110: "Processing failure: it could not be stored",
    0x0122: "The SOP class is not supported",
    0x0124: "We are not allowed to store it",
    0xC122: "The transfer syntax is not supported",
}
_FAILURE_RANGES: Mapping[int, str] = {
    0xA7: "Out of resources: there is no room for it",
    0xA9: "The data set does not match the SOP class",
    0xC0: "The data set cannot be understood",
}
_VENDORS: Mapping[int, str] = {
    0xB00E: "An instance with the same UIDs is stored there already, and was left as it is (45070, a vendor's reason)",
    0xB00F: "An instance with the same UIDs is just being stored there by another (45071, a vendor's reason)",
    0x0111: "There is an instance with this SOP Instance UID already",
}
"""In no table of DICOM: what is stored there was not said."""
_WARNINGS: Mapping[int, str] = {
    0xB000: "Elements were coerced",
    0xB006: "Elements were left out",
    0xB007: "The data set does not match the SOP class",
}


def store_failure_text(reason: int) -> str:
    """A sentence without its full stop."""
    known = _FAILURES.get(reason) or _FAILURE_RANGES.get(reason >> 8) or _VENDORS.get(reason)
    return known or "A reason that no table of DICOM lists"


def is_listed(reason: int) -> bool:
    """Whether DICOM's tables list it as a failure to store."""
    return reason in _FAILURES or reason >> 8 in _FAILURE_RANGES


def store_warning_text(reason: int) -> str:
    """A sentence without its full stop."""
    return f"Warning: {_WARNINGS.get(reason, 'one that no table of DICOM lists')}"
