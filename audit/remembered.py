"""What the rows of a sealed audit come to, kept in memory for a while: they never change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache

from audit.models import Audit

KEPT_SECONDS = 3_600
Found = TypeVar("Found")


def remembered(audit: Audit, what: str, find: Callable[[], Found]) -> Found:
    """What `find` returns, asked once; of an open audit asked every time."""
    if not audit.is_sealed:
        return find()
    key = f"audit.{audit.public_id}.{what}"
    found = cache.get(key)
    if found is None:
        found = find()
        cache.set(key, found, KEPT_SECONDS)
    return found  # type: ignore[no-any-return]
