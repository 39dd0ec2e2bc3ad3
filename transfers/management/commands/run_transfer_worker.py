"""`manage.py run_transfer_worker`: a worker in a process of its own, beside those that serve pages."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from transfers.management.base import TallymanCommand
from transfers.management.serving import work


class Command(TallymanCommand):
    """Runs until it is told to stop by SIGTERM or Ctrl-C."""

    help = "Run transfers, and read what was submitted, in the background."

    def run(self, **_options: Any) -> None:
        work(self._announce)

    def _announce(self) -> None:
        self.stdout.write(f"Worker ready: runs up to {settings.WORKER_CONCURRENCY} transfers side by side")
        self.stdout.flush()
