"""Control questions: does a destination tell the truth, and does it look at what it is asked for? Pure."""

from __future__ import annotations

import uuid

from transfers.probes.findings import SeriesKey
from transfers.wire.identifiers import Query


def invention_question(series: SeriesKey) -> Query:
    """Ask for an instance that cannot exist: who names it says yes to anything, and proves nothing."""
    return Query(*series, _fresh_uid())


def blindness_question(sop_instance_uid: str) -> Query:
    """Ask for an instance under a study and series that cannot exist: who names any ignores where it was asked for."""
    return Query(_fresh_uid(), _fresh_uid(), sop_instance_uid)


def _fresh_uid() -> str:
    """A UID that nothing has yet (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"
