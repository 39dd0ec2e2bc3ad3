"""What people know a study by, as its instances say it. Missing or garbled it is simply not there, never an error."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from datetime import date

from pydicom.charset import ESC, convert_encodings, decode_bytes
from pydicom.valuerep import TEXT_VR_DELIMS

from audit.data_sets import MODALITY, SPECIFIC_CHARACTER_SET, STUDY_DATE, STUDY_DESCRIPTION
from audit.entries import StudyDescription

PADDING = b" \0"
LONGEST_TEXT = 64
"""Characters of VR LO (PS3.5 6.2)."""

_CODE = re.compile(rb"[A-Za-z0-9_ ]{1,16}")
"""VR CS (PS3.5 6.2), and small letters, which some writers take."""
_DATE = re.compile(rb"(\d{4})(\.?)(\d\d)\2(\d\d)")
"""With dots it is as before DICOM (ACR-NEMA 300), and still met."""
_CHARACTER_SETS = ("ISO", "GB")
"""How the defined terms of Specific Character Set begin (PS3.3 C.12.1.1.2)."""


class Describer:
    """Gathers the description of one study from its instances, in their order."""

    def __init__(self) -> None:
        self._text = ""
        self._date = ""
        self._modalities: set[bytes] = set()

    def add(self, values: Mapping[int, bytes]) -> None:
        """Take the describing elements of one more instance."""
        modality = values.get(MODALITY, b"").strip(PADDING)
        if modality not in self._modalities and _CODE.fullmatch(modality):
            self._modalities.add(modality)
        if not self._date:
            self._date = _date(values.get(STUDY_DATE, b""))
        if not self._text and STUDY_DESCRIPTION in values:
            text = _decoded(values[STUDY_DESCRIPTION], values.get(SPECIFIC_CHARACTER_SET, b""))
            self._text = _in_one_line(text)[:LONGEST_TEXT].rstrip()

    def description(self, series: int) -> StudyDescription:
        modalities = sorted(modality.decode("ascii") for modality in self._modalities)
        return StudyDescription(self._text, self._date, tuple(modalities), series)


def _date(value: bytes) -> str:
    """VR DA (PS3.5 6.2) as YYYY-MM-DD; empty for what is no date."""
    match = _DATE.fullmatch(value.strip(PADDING))
    if not match:
        return ""
    year, _, month, day = match.groups()
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return ""


def _decoded(value: bytes, character_set: bytes) -> str:
    """The text in a value; what its character set does not have is replaced."""
    if value.isascii() and ESC not in value:
        return value.decode("ascii")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return decode_bytes(value, convert_encodings(_terms(character_set)), TEXT_VR_DELIMS)
    except (LookupError, ValueError):
        return value.decode("ascii", errors="replace")


def _terms(character_set: bytes) -> list[str]:
    """The defined terms; pydicom would take every codec of Python for one, text or not."""
    terms = [term.strip(" \0").upper() for term in character_set.decode("latin-1").split("\\")]
    return [term if term.startswith(_CHARACTER_SETS) else "" for term in terms]


def _in_one_line(text: str) -> str:
    """Without what would break the line, command a terminal, or not be seen."""
    spaced = (" " if character.isspace() else character for character in text)
    return " ".join("".join(character for character in spaced if character.isprintable()).split())
