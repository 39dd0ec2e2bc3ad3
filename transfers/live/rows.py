"""What is read of transfers at every look: few columns, few queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Max

from transfers.models import Attempt, Transfer, TransferEvent
from transfers.states import HELD, State

BUSY = HELD | {State.QUEUED}

_COLUMNS = (
    "pk",
    "public_id",
    "state",
    "revision",
    "instances",
    "size_bytes",
    "audit_id",
    "audit__revision",
    "audit__sealed_at",
    "audit__verdict",
    "audit__proof",
    "audit__tally",
)


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One transfer with its newest audit, as they were together."""

    pk: int
    public_id: UUID
    state: str
    events: int
    """Grows with each event."""
    instances: int
    size_bytes: int
    audit_pk: int
    audit_revision: int
    sealed_at: datetime | None
    verdict: str
    proof: str
    tally: dict[str, int]

    @property
    def revision(self) -> int:
        """The same as `Transfer.live_revision`."""
        return self.events + self.audit_revision

    @property
    def is_held(self) -> bool:
        return self.state in HELD

    @property
    def is_busy(self) -> bool:
        """Whether something will happen soon."""
        return self.state in BUSY


def read_transfers(**where: Any) -> list[TransferRow]:
    return [TransferRow(*row) for row in Transfer.objects.filter(**where).values_list(*_COLUMNS)]


def revisions_of(**where: Any) -> dict[int, int]:
    rows = Transfer.objects.filter(**where).values_list("pk", "revision", "audit__revision")
    return {pk: revision + of_audit for pk, revision, of_audit in rows}


def revisions_of_newest(count: int) -> dict[int, int]:
    rows = Transfer.objects.order_by("-pk").values_list("pk", "revision", "audit__revision")[:count]
    return {pk: revision + of_audit for pk, revision, of_audit in rows}


def newest_event() -> int:
    return TransferEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0


def events_after(event_pk: int) -> tuple[int, set[int]]:
    """The newest event, and of which transfers there were any."""
    rows = list(TransferEvent.objects.filter(pk__gt=event_pk).order_by("pk").values_list("pk", "transfer_id"))
    return (rows[-1][0] if rows else event_pk), {transfer for _, transfer in rows}


def newest_attempt(transfer_pk: int) -> Attempt | None:
    return Attempt.objects.filter(transfer=transfer_pk).order_by("-pk").first()


def count_by_state(states: Iterable[str]) -> dict[str, int]:
    counted = Transfer.objects.filter(state__in=list(states)).order_by().values_list("state")
    return dict(counted.annotate(count=Count("pk")))
