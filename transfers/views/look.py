"""One look at a transfer, for everything that its page shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cached_property
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from audit.chunks import CHUNK_ROWS
from audit.live import LiveAudit
from audit.tallies import count_rows
from transfers.instance_listing import Series, series_of
from transfers.models import Transfer
from transfers.states import RETRIABLE, State


class Look:
    """One look at a transfer: what several fragments need is read once."""

    def __init__(self, transfer: Transfer, request: HttpRequest, now: datetime) -> None:
        self.transfer, self.request, self.now = transfer, request, now
        self.state = State(transfer.state)
        self.is_over = transfer.audit.is_sealed
        """Whether there is a verdict."""
        self.may_continue = self.state in RETRIABLE or self.state is State.AWAITING_COMMITMENT
        """Whether something else may be done with it: nobody works on it now."""
        self._live: LiveAudit | None = None

    @property
    def live(self) -> LiveAudit:
        if self._live is None:
            self._live = LiveAudit(self.transfer.audit_id)
        return self._live

    @cached_property
    def asked_to_commit(self) -> bool:
        """Whether the destination was, or will be."""
        return self.transfer.asks_commitment or self.transfer.commitment_requests.exists()

    @cached_property
    def series(self) -> list[Series]:
        return series_of(self.transfer.audit)

    def series_at(self, positions: Collection[int]) -> Mapping[int, int]:
        """The numbers of the series that these are of; nothing where there is but one, or for too many to ask about."""
        if self.transfer.series < 2 or len(positions) > CHUNK_ROWS:
            return {}
        numbers = {each.uid: number for number, each in enumerate(self.series, 1)}
        rows = self.transfer.audit.instances.filter(position__in=positions)
        return {at: numbers[uid] for at, uid in rows.values_list("position", "series_instance_uid")}

    @property
    def tally(self) -> Mapping[str, int]:
        audit = self.transfer.audit
        if audit.is_sealed:
            return audit.tally or count_rows(audit)
        return self.live.tally

    def url(self, name: str, **query: str) -> str:
        address = reverse(name, args=[self.transfer.public_id])
        return f"{address}?{urlencode(query)}" if query else address

    def fragment_url(self, name: str) -> str:
        return reverse("transfer-fragment", args=[self.transfer.public_id, name])

    def instances_url(self, query: Mapping[str, str]) -> str:
        return f"{self.url('transfer', **query)}#instances"
