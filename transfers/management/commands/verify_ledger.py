"""`manage.py verify_ledger`: walk the hash chain of every audit, and name what was changed behind our back."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from audit.breaks import Break
from audit.ledger_walk import LedgerWalk
from audit.models import Audit, Checkpoint
from transfers.management.base import TallymanCommand, wrong_usage

SHOWN_AT_ONCE = 100
"""Of broken audits, in words; --json has all."""


class Command(TallymanCommand):
    help = "Walk the hash chains of the audits and the daily checkpoints; exit 1 where something is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--audit", metavar="UUID", help="look at this audit only, and at no checkpoint")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print one JSON document")

    def run(self, **options: Any) -> None:
        walk = LedgerWalk(_audit_named(options["audit"]) if options["audit"] else None)
        found = list(walk.breaks())
        newest = Checkpoint.objects.order_by("-day").first()
        if options["as_json"]:
            self.stdout.write(json.dumps(_document(walk, found, newest)))
        else:
            for line in _lines(walk, found, newest):
                self.stdout.write(line)
        if found:
            self.stdout.flush()
            sys.exit(1)


def _document(walk: LedgerWalk, found: Sequence[Break], newest: Checkpoint | None) -> dict[str, Any]:
    return {
        "is_whole": not found,
        "counts": {
            "audits": walk.audits,
            "links": walk.links,
            "evidence": walk.rows,
            "checkpoints": walk.checkpoints,
        },
        "newest_checkpoint": {"day": newest.day.isoformat(), "sha256": newest.sha256} if newest else None,
        "broken": [each.document() for each in found],
    }


def _lines(walk: LedgerWalk, found: Sequence[Break], newest: Checkpoint | None) -> Iterator[str]:
    for each in found[:SHOWN_AT_ONCE]:
        yield f"Audit {each.audit}: {each.says}" if each.audit else each.says
    if len(found) > SHOWN_AT_ONCE:
        yield f"… and {len(found) - SHOWN_AT_ONCE:,} more: --json has all."
    yield (
        f"Walked {walk.audits:,} audits, {walk.links:,} links over {walk.rows:,} rows of evidence, and "
        f"{walk.checkpoints:,} checkpoints."
    )
    yield f"Broken: {len(found):,}." if found else "All is as it was written."
    if newest:
        yield f"Newest checkpoint: {newest.day}, {newest.sha256}"


def _audit_named(text: str) -> UUID:
    try:
        return Audit.objects.values_list("public_id", flat=True).get(public_id=UUID(text))
    except (ValueError, Audit.DoesNotExist):
        raise wrong_usage(f"There is no audit “{text}”: a transfer's receipt names its audits.") from None
