"""How much of one send goes on at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from typing import Any

from audit.entries import ManifestEntry
from transfers.endpoints import HttpEndpoint


def breadth_option(what: str, maximum: int = 32) -> Any:
    """A field of Options: how many of these are used side by side; 0: as many as the destination is set to."""
    help_text = f"how many {what} side by side, in place of the destination's"
    return field(default=0, metadata={"help": help_text, "minimum": 1, "maximum": maximum})


def with_connections(endpoint: HttpEndpoint, requests: int, entries: Sequence[ManifestEntry]) -> HttpEndpoint:
    """With as many connections as a send of these entries uses; `requests` as its option says."""
    return replace(endpoint, connections=min(requests or endpoint.connections, len(entries)))
