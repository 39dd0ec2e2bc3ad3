"""Decodes text strictly by its Specific Character Set (PS3.5 6.1 and PS3.3 C.12.1.1.2): in doubt it is no text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pydicom.charset import CODES_TO_ENCODINGS, ESC, handled_encodings, python_encoding

ASCII = "ascii"
DEFAULT_TERMS = ("", "ISO_IR 6", "ISO 2022 IR 6")
_PADDING = " \0"
_FRAGMENT = re.compile(rb"(\A[^\x1b]+|\x1b[^\x1b]*)")
_LINES = b"\r\n\f\t"
_DELIMITERS = {b"SH": _LINES + b"\\", b"LO": _LINES + b"\\", b"UC": _LINES + b"\\", b"PN": _LINES + b"\\^="}
"""What ends a code extension (PS3.5 6.1.2.5.3)."""


class NoText(ValueError):
    """The bytes are no text in their character set, or the set is not known."""


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """The defined terms of Specific Character Set (0008,0005), in their order."""

    terms: tuple[str, ...]

    @property
    def is_known(self) -> bool:
        return all(term in DEFAULT_TERMS or term in python_encoding for term in self.terms)

    def decode(self, value: bytes, vr: bytes) -> str:
        """The text in the value of an element. Raises NoText."""
        if not self.is_known:
            raise NoText
        codecs = [ASCII if term in DEFAULT_TERMS else python_encoding[term] for term in self.terms]
        try:
            if ESC not in value:
                return value.decode(codecs[0])
            delimiters = _DELIMITERS.get(vr, _LINES)
            return "".join(_decode_fragment(each, codecs, delimiters) for each in _FRAGMENT.findall(value))
        except (UnicodeError, LookupError):
            raise NoText from None


DEFAULT_REPERTOIRE = CharacterSet(("",))


@lru_cache(maxsize=64)
def character_set_of(value: bytes) -> CharacterSet:
    """The character set that a value of (0008,0005) names."""
    terms = tuple(term.strip(_PADDING) for term in value.decode("latin-1").split("\\"))
    return DEFAULT_REPERTOIRE if len(terms) == 1 and terms[0] in DEFAULT_TERMS else CharacterSet(terms)


def are_same_text(sent: bytes, found: bytes, sent_set: CharacterSet, found_set: CharacterSet, vr: bytes) -> bool:
    """Whether two values without padding are the same text, each in its own character set."""
    if sent_set == found_set or (sent == found and sent.isascii() and ESC not in sent):
        return sent == found
    try:
        return sent_set.decode(sent, vr) == found_set.decode(found, vr)
    except NoText:
        return False


def _decode_fragment(fragment: bytes, codecs: list[str], delimiters: bytes) -> str:
    """What begins with an escape sequence, or what comes before the first (PS3.5 6.1.2.4 and 6.1.2.5)."""
    if not fragment.startswith(ESC):
        return fragment.decode(codecs[0])
    length = 4 if fragment.startswith((b"\x1b$(", b"\x1b$)")) else 3
    codec = CODES_TO_ENCODINGS.get(fragment[:length])
    if codec is None or (codec not in codecs and fragment[:length] != b"\x1b(B"):
        raise NoText
    if codec in handled_encodings:
        return fragment.decode(codec)
    text = fragment[length:]
    end = next((index for index, byte in enumerate(text) if byte in delimiters), len(text))
    return text[:end].decode(ASCII if fragment[:length] == b"\x1b(B" else codec) + text[end:].decode(codecs[0])
