"""An instance that is to be sent."""

from __future__ import annotations

from dataclasses import dataclass

from audit.entries import ManifestEntry


@dataclass(slots=True)
class SendTask:
    """An instance to send, and how often an association, or a request, was lost over it."""

    entry: ManifestEntry
    plan: int = 0
    """Of its association, where it goes over one."""
    losses: int = 0
