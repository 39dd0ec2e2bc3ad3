"""Walks the checkpoints, beside the heads of the chains that they cover."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import OuterRef, Subquery

from audit.breaks import Break, BreakKind
from audit.canonical import LinesDigest
from audit.checkpoints import CoveredHead, checkpoint_digest, head_line
from audit.models import Checkpoint, CheckpointHead, Link


def checkpoint_breaks() -> Iterator[Break | None]:
    """For each checkpoint, the oldest first, what is wrong with it; None: nothing."""
    previous = ""
    for checkpoint in Checkpoint.objects.order_by("day").iterator():
        yield _fault_of(checkpoint, previous)
        previous = checkpoint.sha256


def _fault_of(checkpoint: Checkpoint, previous: str) -> Break | None:
    day = checkpoint.day
    if checkpoint_digest(checkpoint, previous) != checkpoint.sha256:
        says = f"The checkpoint of {day} was changed, or the one before it was changed or is missing."
        return Break(BreakKind.CHECKPOINT_CHANGED, says, checkpoint=day)
    digest, count = LinesDigest(), 0
    other: Break | None = None
    for head, now in _heads(checkpoint):
        digest.add([head_line(head)])
        count += 1
        if now != head.sha256 and other is None:
            other = _other_head(checkpoint, head, now)
    if (digest.hexdigest(), count) != (checkpoint.content_sha256, checkpoint.heads):
        says = f"What the checkpoint of {day} covers was changed: it covered {checkpoint.heads:,} audits."
        return Break(BreakKind.CHECKPOINT_CHANGED, says, checkpoint=day)
    return other


def _other_head(checkpoint: Checkpoint, head: CoveredHead, now: str | None) -> Break:
    kind = BreakKind.LINK_CHANGED if now else BreakKind.LINK_MISSING
    what = "is another than" if now else "is missing, and was there"
    says = f"Link {head.position} {what} when the checkpoint of {checkpoint.day} was written."
    return Break(kind, says, audit=head.audit, link=head.position, checkpoint=checkpoint.day)


def _heads(checkpoint: Checkpoint) -> Iterator[tuple[CoveredHead, str | None]]:
    """What it covers, with the digest that the same link has now."""
    link = Link.objects.filter(audit=OuterRef("audit"), position=OuterRef("position")).values("sha256")[:1]
    rows = (
        CheckpointHead.objects.filter(checkpoint=checkpoint)
        .order_by("audit")
        .values_list("audit", "audit__public_id", "position", "sha256", Subquery(link))
    )
    for *head, now in rows.iterator(chunk_size=2_000):
        yield CoveredHead._make(head), now
