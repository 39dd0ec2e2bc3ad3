"""Holds what is really sent against the catalogue of events: every member there, none more, each of its type."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from transfers.events import Event

EVENTS: Mapping[str, type] = {
    get_args(get_type_hints(event)["type"])[0]: event for event in get_args(Event) if is_typeddict(event)
}
"""Every event of the catalogue, by its type."""


def faults_of(event: Mapping[str, Any]) -> list[str]:
    """In what the event is not as the catalogue says."""
    kind = str(event.get("type"))
    return _faults(event, EVENTS[kind], kind) if kind in EVENTS else [f"there is no event {kind!r}"]


def _faults(value: Any, hint: Any, where: str) -> list[str]:
    if is_typeddict(hint):
        return _faults_of_members(value, get_type_hints(hint), where)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return [] if value in arguments else [f"{where} is {value!r}"]
    if origin in {Union, UnionType}:
        return [] if any(not _faults(value, each, where) for each in arguments) else [f"{where} is {value!r}"]
    if origin is list:
        return _faults_of_items(value, [arguments[0]] * len(value), where)
    if origin is tuple:
        return _faults_of_items(value, list(arguments), where)
    wanted = {float: (int, float)}.get(hint, hint or NoneType)
    return [] if isinstance(value, wanted) and not isinstance(value, bool) else [f"{where} is {value!r}"]


def _faults_of_members(value: Any, members: Mapping[str, Any], where: str) -> list[str]:
    if not isinstance(value, dict) or set(value) != set(members):
        return [f"{where} has other members: {value!r}"]
    return [fault for name, hint in members.items() for fault in _faults(value[name], hint, f"{where}.{name}")]


def _faults_of_items(value: Any, hints: list[Any], where: str) -> list[str]:
    if not isinstance(value, list) or len(value) != len(hints):
        return [f"{where} is {value!r}"]
    return [fault for item, hint in zip(value, hints, strict=True) for fault in _faults(item, hint, f"{where}[]")]
