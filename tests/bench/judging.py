"""How long it takes to judge a study of 100,000 instances: `python -m tests.bench.judging`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from uuid import uuid4

from audit.entries import StudyManifest
from tests.manifests import study
from tests.peers.postgresql import Postgresql

if TYPE_CHECKING:
    from audit.ledger import Ledger

INSTANCES = 100_000
RUNS = 3
WANTED_SECONDS = 2


def main() -> None:
    print(f"Seconds to judge {INSTANCES:,} instances with three pieces of evidence each (wanted: under 2)")
    with tempfile.TemporaryDirectory() as folder:
        _measure_in_a_process("SQLite", Path(folder) / "sqlite", "")
        with Postgresql() as peer:
            _measure_in_a_process("PostgreSQL", Path(folder) / "postgresql", peer.url)


def _measure_in_a_process(label: str, data_folder: Path, database_url: str) -> None:
    """The product's own settings are read once a process."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "TALLYMAN_DATA_DIR": str(data_folder),
        "DATABASE_URL": database_url,
    }
    sys.stdout.flush()
    subprocess.run([sys.executable, "-m", "tests.bench.judging", label], env=environment, check=True)


def _measure(label: str) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    from audit.judging import judge_audit
    from audit.models import Audit

    call_command("migrate", verbosity=0)
    for what, pk in _audits():
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        took = []
        for _ in range(RUNS):
            audit = Audit.objects.get(pk=pk)
            with transaction.atomic():
                began_at = time.perf_counter()
                judge_audit(audit)
                took.append(time.perf_counter() - began_at)
                transaction.set_rollback(True)
        print(f"{label:<12}{what:<52}{median(took):>7.2f}{max(took):>7.2f}  {audit.verdict}")


def _audits() -> Iterator[tuple[str, int]]:
    """What is judged, and the key of its audit; each has a destination of its own, but for the last two."""
    manifest = study(INSTANCES)
    yield "all acknowledged and listed", _written(manifest, _round("acknowledged", {}), _round("present", {}))
    refusal = _round("refused", {"status_code": "0xA700", "meaning": "Out of resources"})
    yield "all refused and not listed", _written(manifest, refusal, _round("absent", {}))
    failure = _round("probe-failed", {"reason": "The association was aborted.", "code": "association_aborted"})
    yield "all acknowledged, the destination not asked", _written(manifest, _round("acknowledged", {}), failure)
    before = _written(manifest, _round("acknowledged", {}), _round("present", {}))
    yield "the same again, after it was sent there before", _written(manifest, refusal, failure, beside=before)
    yield "a retry of it", _written(manifest, _round("acknowledged", {}), _round("present", {}), continues=before)


_Round = tuple[str, dict[str, str]]
"""A kind of evidence and its detail."""


def _round(kind: str, detail: dict[str, str]) -> _Round:
    return kind, detail


def _written(
    manifest: StudyManifest, answer: _Round, probe: _Round, *, beside: int | None = None, continues: int | None = None
) -> int:
    """The key of a new audit with three rows of evidence an instance; the one that it continues is sealed first."""
    from audit.judgements import Policy
    from audit.ledger import AskedAt, Ledger, continue_audit, open_audit
    from audit.models import Audit

    if continues is not None:
        before = Ledger(Audit.objects.get(pk=continues)).close()
        audit = continue_audit(before, Policy())
    else:
        destination = Audit.objects.get(pk=beside).destination_public_id if beside else uuid4()
        audit = open_audit(manifest, at=AskedAt(destination, "pacs:104 PACS"), policy=Policy())
    ledger = Ledger(audit)
    uids = [entry.sop_instance_uid for entry in manifest.entries]
    ledger.note_was_there_before([], [])
    ledger.begin_round()
    _record(ledger, uids, "sent", {"sha256": "0" * 64})
    _record(ledger, uids, *answer)
    ledger.begin_round()
    _record(ledger, uids, *probe)
    return int(audit.pk)


def _record(ledger: Ledger, uids: Sequence[str], kind: str, detail: dict[str, str]) -> None:
    from django.utils import timezone

    from audit.observations import EvidenceKind, Observation

    for uid in uids:
        ledger.record(Observation(uid, EvidenceKind(kind), timezone.now(), detail))
    ledger.flush()


if __name__ == "__main__":
    _measure(sys.argv[1]) if len(sys.argv) > 1 else main()
