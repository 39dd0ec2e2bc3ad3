"""What the value representations of two encodings of the same element have in common (PS3.5 6.2)."""

from __future__ import annotations

from functools import lru_cache

from pydicom.datadict import dictionary_has_tag, dictionary_VR, repeater_has_tag

UN = b"UN"
SQ = b"SQ"
TEXT = frozenset({b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT"})
"""VRs in the Specific Character Set."""
STRINGS = TEXT | {b"AE", b"AS", b"CS", b"DA", b"DS", b"DT", b"IS", b"TM", b"UI", b"UR"}
WORD_SIZES = {b"AT": 2, b"OW": 2, b"SS": 2, b"US": 2}
WORD_SIZES |= {b"FL": 4, b"OF": 4, b"OL": 4, b"SL": 4, b"UL": 4}
WORD_SIZES |= {b"FD": 8, b"OD": 8, b"OV": 8, b"SV": 8, b"UV": 8}
"""Bytes that change their order between little and big endian (PS3.5 7.3); an AT is two words."""
SIGN_IN_DOUBT = {b"SS", b"US"}


@lru_cache(maxsize=16384)
def shared_vr(tag: int, one: bytes, other: bytes) -> bytes:
    """By which VR two values of an element are compared, given the VRs as encoded: UN for bytes, empty for neither.

    A VR that is not encoded is what the dictionary says, if that leaves no choice.
    """
    listed = listed_vrs(tag)
    if one == other and one:
        return one
    vrs = {one, other} - {b"", UN}
    if not vrs:
        (single,) = listed if len(listed) == 1 and UN not in (one, other) else (UN,)
        return single
    if len(vrs) == 1:
        (vr,) = vrs
        is_contradicted = b"" in (one, other) and listed and vr not in listed
        return UN if is_contradicted and vr != SQ else vr
    return _widest(vrs) if vrs <= listed else b""


@lru_cache(maxsize=16384)
def listed_vrs(tag: int) -> frozenset[bytes]:
    """The VRs that an element may have by PS3.6; none where it is not known."""
    if tag >> 16 & 1:
        return frozenset({b"LO"} if 0x10 <= tag & 0xFFFF <= 0xFF else ())
    if not (dictionary_has_tag(tag) or repeater_has_tag(tag)):
        return frozenset()
    return frozenset(vr.encode() for vr in dictionary_VR(tag).split(" or ") if len(vr) == 2)


def _widest(vrs: set[bytes]) -> bytes:
    return b"OW" if b"OW" in vrs else min(vrs)
