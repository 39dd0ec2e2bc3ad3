"""A method's options, checked against the fields of its frozen `Options` dataclass.

Each field has `help` in its metadata. What it takes is told by its default: a bool takes yes and no; a whole number
has `minimum` and `maximum`; a text has `choices`, or is free, of up to `longest` characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields
from enum import StrEnum
from typing import Any

LONGEST = 255


class Takes(StrEnum):
    """What the value of an option is."""

    WHOLE_NUMBER = "whole-number"
    YES_OR_NO = "yes-or-no"
    CHOICE = "choice"
    TEXT = "text"


_YES_OR_NO = {"yes": True, "true": True, "no": False, "false": False}


class WrongOption(ValueError):
    """An option that the method does not know, or a value that it cannot take; the message names what it can."""


def check_options(options: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a JSON object, where the method takes them. Raises WrongOption."""
    known = {field.name: field for field in fields(options)}
    for name, value in values.items():
        if name in known and type(value) is not type(known[name].default):
            raise WrongOption(f"{name} takes {_what_it_takes(known[name])}.")
    return parse_options(options, (f"{name}={_text_of(value)}" for name, value in values.items()))


def parse_options(options: type[Any], pairs: Iterable[str]) -> dict[str, Any]:
    """Return the values of `KEY=VALUE` texts, as JSON can hold them. Raises WrongOption."""
    known = {field.name: field for field in fields(options)}
    values = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or name not in known:
            names = ", ".join(f"{name}=… ({field.metadata['help']})" for name, field in known.items())
            raise WrongOption(f"“{pair}” is no option of this method. It has: {names or 'none'}.")
        values[name] = _value(known[name], text)
    return values


def what_it_is(field: Field[Any]) -> Takes:
    """What a field of Options takes, as its default tells."""
    if isinstance(field.default, bool):
        return Takes.YES_OR_NO
    if isinstance(field.default, int):
        return Takes.WHOLE_NUMBER
    return Takes.CHOICE if field.metadata.get("choices") else Takes.TEXT


def _value(field: Field[Any], text: str) -> Any:
    value = _PARSERS[type(field.default)](field.metadata, text)
    if value is None:
        raise WrongOption(f"{field.name} takes {_what_it_takes(field)}, not “{text}”.")
    return value


def _whole_number(metadata: Mapping[str, Any], text: str) -> int | None:
    is_one = text.isascii() and text.isdigit() and metadata["minimum"] <= int(text) <= metadata["maximum"]
    return int(text) if is_one else None


def _yes_or_no(_metadata: Mapping[str, Any], text: str) -> bool | None:
    return _YES_OR_NO.get(text.lower())


def _text(metadata: Mapping[str, Any], text: str) -> str | None:
    choices = metadata.get("choices")
    is_one = text in choices if choices else 0 < len(text) <= metadata.get("longest", LONGEST) and text.isprintable()
    return text if is_one else None


_PARSERS: Mapping[type, Callable[[Mapping[str, Any], str], Any]] = {int: _whole_number, bool: _yes_or_no, str: _text}


def _what_it_takes(field: Field[Any]) -> str:
    known = field.metadata
    match what_it_is(field):
        case Takes.YES_OR_NO:
            return "yes or no"
        case Takes.WHOLE_NUMBER:
            return f"a whole number from {known['minimum']} to {known['maximum']}"
        case Takes.CHOICE:
            return f"one of {', '.join(known['choices'])}"
        case Takes.TEXT:
            return f"a text of up to {known.get('longest', LONGEST)} characters"


def _text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
