"""Walks the hash chain of every audit and the checkpoints, and names the first broken link of each."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from audit.breaks import Break
from audit.chain_walk import ChainWalk
from audit.checkpoint_walk import checkpoint_breaks
from audit.models import Audit
from audit.snapshots import snapshot

CHUNK = 500


class LedgerWalk:
    """One walk; what it has counted is known once `breaks` has ended."""

    def __init__(self, audit: UUID | None = None) -> None:
        """`audit`: look at that one only."""
        self._only = audit
        self.audits = self.links = self.rows = self.checkpoints = 0
        """How many were looked at; rows are those of evidence."""

    def breaks(self) -> Iterator[Break]:
        """At most one an audit, in the order in which they were opened, then those of the checkpoints."""
        for pk in self._audit_pks():
            with snapshot():
                walk = ChainWalk(pk)
                found = walk.first_break()
            self.audits += 1
            self.links += walk.links
            self.rows += walk.rows
            if found is not None:
                yield found
        if self._only is None:
            with snapshot():
                for found in checkpoint_breaks():
                    if found is not None:
                        yield found
                    self.checkpoints += found is None

    def _audit_pks(self) -> Iterator[int]:
        audits = Audit.objects.order_by("pk")
        if self._only is not None:
            audits = audits.filter(public_id=self._only)
        last = 0
        while pks := list(audits.filter(pk__gt=last).values_list("pk", flat=True)[:CHUNK]):
            yield from pks
            last = pks[-1]
