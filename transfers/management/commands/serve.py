"""`manage.py serve`: pages, API and websockets with a worker and the DICOM listener, all in one process."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User

from transfers.management.base import TallymanCommand
from transfers.management.serving import address_of, listen, reports_taken, serve

HOST, PORT = "127.0.0.1", 8000


class Command(TallymanCommand):
    """Runs until it is told to stop by SIGTERM or Ctrl-C."""

    help = "Serve the pages and the API, run transfers in the background, and listen for reports of archives."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=HOST, help=f"address to listen on (default: {HOST})")
        parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}; 0: one that is free")

    def run(self, **options: Any) -> None:
        with listen(options["host"], options["port"]) as listening:
            if not User.objects.exists():
                self.stdout.write("There is no user yet to log in as: make one with `manage.py createsuperuser`.")
            with reports_taken(self.stdout.write, self.stderr.write):
                serve(listening, lambda: self._announce(address_of(listening)))

    def _announce(self, address: str) -> None:
        self.stdout.write(f"Tallyman on {address}")
        self.stdout.flush()
