"""Reports of storage commitment that prove nothing: kept to be looked at, and bounded, for anybody may bring them.

AE titles are no secret, so whoever reaches the listener can send reports of transactions that never were, as many and
as large as the network lets him.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from transfers import queue
from transfers.models import CommitmentReport

MOST_REFERENCES = 100
"""That are kept of each list of an orphan."""
MOST_KEPT = 10_000
"""Orphans of all destinations together; the oldest go."""
MOST_TOLD = 10
"""That become events of one request's transfer: events are never deleted."""
LOOK_EVERY = 100
"""Reports, after which it is looked whether some have to go: counting is dear."""

Reference = TypeVar("Reference")


def shortened(references: Sequence[Reference], orphaned_because: str) -> Sequence[Reference]:
    """All of what counts; of an orphan its beginning."""
    return references[:MOST_REFERENCES] if orphaned_because else references


def note(orphan: CommitmentReport) -> None:
    """Tell of it where it names a request of ours, and make room for the next."""
    request = orphan.request
    if request is not None and request.reports.exclude(orphaned_because="").count() <= MOST_TOLD:
        queue.record_event(request.transfer, "commitment_report_orphaned", because=orphan.orphaned_because)
    if orphan.pk % LOOK_EVERY == 0:
        _make_room()


def _make_room() -> None:
    kept = CommitmentReport.objects.exclude(orphaned_because="").order_by("-pk")
    newest_to_go = kept.values_list("pk", flat=True)[MOST_KEPT : MOST_KEPT + 1].first()
    if newest_to_go is not None:
        kept.filter(pk__lte=newest_to_go).order_by().delete()
