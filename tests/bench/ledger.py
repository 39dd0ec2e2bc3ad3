"""What it costs to write down evidence, and to walk the ledger: `python -m tests.bench.ledger`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.peers.postgresql import Postgresql

INSTANCES = 20_000
RUNS = 5


def main() -> None:
    print(f"{INSTANCES:,} instances with two rows of evidence each, medians of {RUNS} runs:")
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
    subprocess.run([sys.executable, "-m", "tests.bench.ledger", label], env=environment, check=True)


def _measure(label: str) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    took: dict[str, list[float]] = {}
    for number in range(RUNS):
        for what, seconds in _write(f"2.25.{number + 1}").items():
            took.setdefault(what, []).append(seconds / INSTANCES * 1e6)
    for what, microseconds in took.items():
        print(f"{label:<12}{what:<32}{median(microseconds):>8.1f} µs an instance")
    _walk(label)


def _walk(label: str) -> None:
    from audit.ledger_walk import LedgerWalk

    walk = LedgerWalk()
    began_at = time.perf_counter()
    assert list(walk.breaks()) == []
    seconds = time.perf_counter() - began_at
    print(f"{label:<12}{'walk the ledger':<32}{seconds / walk.rows * 100_000:>8.2f} s for 100,000 rows of evidence")


def _write(uid: str) -> dict[str, float]:
    from uuid import uuid4

    from django.utils import timezone

    from audit.judgements import Policy
    from audit.ledger import AskedAt, Ledger, open_audit
    from audit.observations import EvidenceKind, Observation
    from tests.manifests import study

    manifest = study(INSTANCES, uid)
    took = {}
    began_at = time.perf_counter()
    audit = open_audit(manifest, at=AskedAt(uuid4(), "pacs:104 PACS"), policy=Policy())
    took["open an audit"] = time.perf_counter() - began_at
    ledger = Ledger(audit)
    ledger.begin_round()
    began_at = time.perf_counter()
    for entry in manifest.entries:
        now = timezone.now()
        detail = {"sha256": f"{hash(entry.sop_instance_uid) & (1 << 64) - 1:064x}"}
        ledger.record(Observation(entry.sop_instance_uid, EvidenceKind.SENT, now, detail))
        answer = {"status_code": "0x0000", "meaning": "Success"}
        ledger.record(Observation(entry.sop_instance_uid, EvidenceKind.ACKNOWLEDGED, now, answer))
    ledger.flush()
    took["write evidence (two rows)"] = time.perf_counter() - began_at
    began_at = time.perf_counter()
    ledger.close()
    took["judge and seal"] = time.perf_counter() - began_at
    return took


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _measure(sys.argv[1])
    else:
        main()
