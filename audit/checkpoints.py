"""Daily checkpoints: each covers the heads of the chains that were written to, and the checkpoint before.

Whoever rewrites the chain of one audit has to rewrite every checkpoint since, and what was said of them elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef

from audit.canonical import LinesDigest, canonical, canonical_instant, sha256_of
from audit.models import Checkpoint, CheckpointHead, Link

logger = logging.getLogger(__name__)


class CoveredHead(NamedTuple):
    """The last link of an audit."""

    audit_pk: int
    audit: UUID
    position: int
    sha256: str


def write_checkpoints(now: datetime) -> Checkpoint | None:
    """Write the checkpoint of the days up to yesterday, unless it is there; for as many processes as like to call it.

    A day on which nothing was written has one too, once there is anything. After days without any process there is
    one for all of them.
    """
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    day = midnight.date() - timedelta(days=1)
    if Checkpoint.objects.filter(day__gte=day).exists():
        return None
    try:
        with transaction.atomic():
            checkpoint = _write(day, midnight, now)
    except IntegrityError:  # another process was first
        return None
    if checkpoint is not None:
        # The log is kept elsewhere: what it says of a checkpoint cannot be rewritten in the database.
        logger.info(
            "A checkpoint of the ledger was written",
            extra={"action": "checkpoint_written", "day": f"{day}", "sha256": checkpoint.sha256},
        )
    return checkpoint


def _write(day: date, midnight: datetime, now: datetime) -> Checkpoint | None:
    before = list(Checkpoint.objects.order_by("-day")[:2])
    if before and before[0].day >= day:
        return None
    heads = _uncovered(midnight, before[1].newest_link if len(before) == 2 else 0)
    if not before and not heads:
        return None
    newest_link = Link.objects.aggregate(newest=Max("pk"))["newest"] or 0
    checkpoint = Checkpoint(
        day=day, at=now, newest_link=newest_link, heads=len(heads), content_sha256=heads_digest(heads)
    )
    checkpoint.sha256 = checkpoint_digest(checkpoint, before[0].sha256 if before else "")
    checkpoint.save()
    CheckpointHead.objects.bulk_create(
        (
            CheckpointHead(checkpoint=checkpoint, audit_id=head.audit_pk, position=head.position, sha256=head.sha256)
            for head in heads
        ),
        batch_size=500,
    )
    return checkpoint


def _uncovered(midnight: datetime, above_link: int) -> list[CoveredHead]:
    """The last link before midnight of each audit, where no checkpoint covers it.

    A link with a lower id may be committed later than one with a higher id, but not a whole checkpoint later.
    """
    later = Link.objects.filter(audit=OuterRef("audit"), position__gt=OuterRef("position"), at__lt=midnight)
    covered = CheckpointHead.objects.filter(audit=OuterRef("audit"), position=OuterRef("position"))
    links = Link.objects.filter(~Exists(later), ~Exists(covered), pk__gt=above_link, at__lt=midnight)
    rows = links.order_by("audit").values_list("audit", "audit__public_id", "position", "sha256")
    return [CoveredHead(*row) for row in rows]


def heads_digest(heads: Iterable[CoveredHead]) -> str:
    """In the order of the audits' ids."""
    return LinesDigest(map(head_line, heads)).hexdigest()


def head_line(head: CoveredHead) -> str:
    return canonical([str(head.audit), head.position, head.sha256])


def checkpoint_digest(checkpoint: Checkpoint, previous: str) -> str:
    """`previous`: the digest of the checkpoint before, or nothing."""
    return sha256_of(
        canonical(
            [
                previous,
                checkpoint.day.isoformat(),
                canonical_instant(checkpoint.at),
                checkpoint.newest_link,
                checkpoint.heads,
                checkpoint.content_sha256,
            ]
        )
    )
