"""How long the server takes for a page, with 100,000 transfers and 20,000 instances: `python -m tests.bench.pages`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.peers.postgresql import Postgresql

TRANSFERS = 100_000
INSTANCES = 20_000
RUNS = 7
WANTED_MILLISECONDS = 200


def main() -> None:
    print(f"Milliseconds a page, medians and the longest of {RUNS} (wanted: under {WANTED_MILLISECONDS}):")
    print(
        f"{TRANSFERS:,} transfers, and five of {INSTANCES:,} instances: "
        "finished, refused, compared, verified again, under way."
    )
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
    subprocess.run([sys.executable, "-m", "tests.bench.pages", label], env=environment, check=True)


def _measure(label: str) -> None:
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("bench"))
    for name, address in _pages():
        took = []
        for _ in range(RUNS + 1):
            began_at = time.perf_counter()
            answer = client.get(address)
            content = b"".join(answer) if answer.streaming else answer.content
            took.append((time.perf_counter() - began_at) * 1000)
            assert answer.status_code == 200, f"{address}: {answer.status_code}"
        warm = took[1:]
        print(f"{label:<12}{name:<44}{median(warm):>8.0f}{max(took):>8.0f}{len(content) / 1000:>10.0f} KB")


def _pages() -> Iterator[tuple[str, str]]:
    from django.db import connection

    from tests.bench.rows import create_destination, create_large_studies, create_transfers

    destination = create_destination()
    create_transfers(destination, TRANSFERS)
    large = create_large_studies(destination, INSTANCES)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    pair = "commitment-refused.present"
    yield from {
        "transfers": "/transfers/",
        "transfers, partial": "/transfers/?verdict=partial",
        "transfers, by a word that is in all": "/transfers/?q=thorax",
        "transfers, by a word that is in none": "/transfers/?q=nowhere",
        "transfers, last week": f"/transfers/?since={_days_ago(7)}",
        "transfers, a day long ago": f"/transfers/?since={_days_ago(90)}&until={_days_ago(90)}",
        "transfers, partial of a day long ago": f"/transfers/?verdict=partial&until={_days_ago(90)}",
        "transfers, needing attention": "/transfers/?show=attention",
        "transfers, overdue": "/transfers/?show=overdue",
        "transfers, missing again": "/transfers/?show=missing",
        "transfers, by a study UID": "/transfers/?q=2.25.184467440737095516160",
        "transfers, of a destination": f"/transfers/?destination={destination.name}",
        "destinations": "/destinations/",
        "methods": "/methods/",
        "transfer, finished": f"/transfers/{large.finished.public_id}/",
        "transfer, finished, the absent": f"/transfers/{large.finished.public_id}/?verdict=refuted",
        "transfer, all refused": f"/transfers/{large.refused.public_id}/",
        "transfer, all refused, by code": f"/transfers/{large.refused.public_id}/?code=0xA700",
        "transfer, finished, not found": f"/transfers/{large.finished.public_id}/?missing=present",
        "transfer, committed and compared": f"/transfers/{large.compared.public_id}/",
        "transfer, not committed": f"/transfers/{large.compared.public_id}/?missing=committed",
        "transfer, of other content": f"/transfers/{large.compared.public_id}/?missing=different",
        "transfer, not committed by reason": f"/transfers/{large.compared.public_id}/?asked=commitment&code=0x0110",
        "transfer, contradictions": f"/transfers/{large.compared.public_id}/?contradiction={pair}",
        "transfer, verified again": f"/transfers/{large.again.public_id}/",
        "transfer, under way, not sent": f"/transfers/{large.running.public_id}/?missing=sent",
        "transfer, under way": f"/transfers/{large.running.public_id}/",
        "API, transfers": "/api/v1/transfers/",
        "API, transfer under way": f"/api/v1/transfers/{large.running.public_id}/",
        "API, methods": "/api/v1/methods/",
        "API, instances": f"/api/v1/transfers/{large.finished.public_id}/instances/",
    }.items()


def _days_ago(days: int) -> str:
    from datetime import timedelta

    from django.utils import timezone

    return f"{timezone.now() - timedelta(days=days):%Y-%m-%d}"


if __name__ == "__main__":
    _measure(sys.argv[1]) if len(sys.argv) > 1 else main()
