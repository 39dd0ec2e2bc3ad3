"""A method's options, checked against the fields of its frozen `Options` dataclass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any


class WrongOption(ValueError):
    """An option that the method does not know, or a value that it cannot take; the message names what it can."""


def check_options(options: type[Any], values: Mapping[str, Any]) -> dict[str, int]:
    """Return the values of a JSON object, where the method takes them. Raises WrongOption."""
    pairs = (f"{name}={value}" for name, value in values.items())
    if any(not isinstance(value, int) or isinstance(value, bool) for value in values.values()):
        raise WrongOption("The options of a method are whole numbers.")
    return parse_options(options, pairs)


def parse_options(options: type[Any], pairs: Iterable[str]) -> dict[str, int]:
    """Return the values of `KEY=VALUE` texts, as JSON can hold them. Raises WrongOption."""
    known = {field.name: field.metadata for field in fields(options)}
    values = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or name not in known:
            names = ", ".join(f"{name}=… ({metadata['help']})" for name, metadata in known.items())
            raise WrongOption(f"“{pair}” is no option of this method. It has: {names}.")
        values[name] = _whole_number(name, text, known[name]["minimum"], known[name]["maximum"])
    return values


def _whole_number(name: str, text: str, minimum: int, maximum: int) -> int:
    if not text.isascii() or not text.isdigit() or not minimum <= int(text) <= maximum:
        raise WrongOption(f"{name} takes a whole number from {minimum} to {maximum}, not “{text}”.")
    return int(text)
