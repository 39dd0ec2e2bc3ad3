"""What a STOW-RS service answers: which instances it stored, which not, and why (PS3.18 10.5.3, Table I.1-1). Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from transfers.errors import MalformedAnswer
from transfers.wire.foreign_text import uid_text

XML_TYPES = frozenset({"application/dicom+xml", "application/xml", "text/xml"})
_REFERENCED_SOP_SEQUENCE = "00081199"
_FAILED_SOP_SEQUENCE = "00081198"
_OTHER_FAILURES_SEQUENCE = "0008119A"
_REFERENCED_SOP_INSTANCE_UID = "00081155"
_WARNING_REASON = "00081196"
_FAILURE_REASON = "00081197"
_LARGEST_REASON = 0xFFFF
_LONGEST_REASON = len(str(_LARGEST_REASON))
_UNREADABLE = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,  # of an encoding, too, that XML names and nobody knows
    RecursionError,
    ParseError,
    DefusedXmlException,
)


@dataclass(frozen=True, slots=True)
class StowAnswer:
    """What was said of the instances of one request; a UID may be in both lists."""

    stored: Mapping[str, int | None] = field(default_factory=dict)
    """SOP Instance UID → warning reason, if any."""
    failed: Mapping[str, int | None] = field(default_factory=dict)
    """SOP Instance UID → failure reason, if any was given."""
    other_failures: int = 0
    """How many parts could not be understood, and are named by no UID."""


def read_stow_answer(content: bytes, media_type: str) -> StowAnswer:
    """Read the body of an answer; an empty one says nothing of anything. Raises MalformedAnswer."""
    if not content.strip():
        return StowAnswer()
    try:
        items = _xml_items(content) if _is_xml(content, media_type) else _json_items(content)
        stored, failed = items.get(_REFERENCED_SOP_SEQUENCE, []), items.get(_FAILED_SOP_SEQUENCE, [])
        # An item of those that were stored has no reason why it was not: one that does says both.
        contradictory = [item for item in stored if _reason(item.get(_FAILURE_REASON, "0")) != 0]
        return StowAnswer(
            stored=dict(_reasons(stored, _WARNING_REASON)),
            failed=dict(_reasons([*contradictory, *failed], _FAILURE_REASON)),
            other_failures=len(items.get(_OTHER_FAILURES_SEQUENCE, [])),
        )
    except _UNREADABLE as error:
        raise MalformedAnswer("What the service says of the instances that it was sent cannot be read.") from error


_Item = Mapping[str, str]
"""Tag → first value of an element, as text."""


def _is_xml(content: bytes, media_type: str) -> bool:
    return media_type in XML_TYPES or content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _reasons(items: list[_Item], tag: str) -> Iterator[tuple[str, int | None]]:
    for item in items:
        uid = uid_text(item.get(_REFERENCED_SOP_INSTANCE_UID, "").encode())
        if uid:
            yield uid, _reason(item.get(tag, ""))


def _reason(text: str) -> int | None:
    """VR US; None for anything else, which is no reason to believe nothing of the whole answer."""
    digits = text.removesuffix(".0")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_REASON):
        return None
    reason = int(digits)
    return reason if reason <= _LARGEST_REASON else None


def _json_items(content: bytes) -> dict[str, list[_Item]]:
    """The DICOM JSON Model (PS3.18 F); some services put their one data set into a list."""
    said = json.loads(content)
    if isinstance(said, list):
        (said,) = said
    sequences = (_REFERENCED_SOP_SEQUENCE, _FAILED_SOP_SEQUENCE, _OTHER_FAILURES_SEQUENCE)
    return {
        tag: [{name: _first(element) for name, element in item.items()} for item in said[tag].get("Value") or []]
        for tag in sequences
        if tag in said
    }


def _first(element: Mapping[str, Any]) -> str:
    values = element.get("Value") or []
    return str(values[0]) if values and not isinstance(values[0], dict) else ""


def _xml_items(content: bytes) -> dict[str, list[_Item]]:
    """The Native DICOM Model (PS3.19 A.1)."""
    root = fromstring(content, forbid_dtd=True)
    return {
        element.get("tag", "").upper(): [_xml_item(item) for item in _children(element, "Item")]
        for element in _children(root, "DicomAttribute")
    }


def _xml_item(item: Element) -> _Item:
    return {
        element.get("tag", "").upper(): next((value.text or "" for value in _children(element, "Value")), "").strip()
        for element in _children(item, "DicomAttribute")
    }


def _children(element: Element, name: str) -> list[Element]:
    """By their name in whatever namespace."""
    return [child for child in element if child.tag.rpartition("}")[2] == name]
