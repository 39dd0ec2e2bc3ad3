"""`manage.py demo [PATH…]`: the main job on real input, with an archive of its own, and then the pages."""

from __future__ import annotations

import fcntl
import secrets
import shutil
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from typing import Any

import pydicom
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from transfers.demo_archive import DemoArchive, accept_private_sop_classes
from transfers.exit_codes import ExitCode
from transfers.management.base import TallymanCommand, wrong_usage
from transfers.management.commands.serve import HOST, PORT
from transfers.management.serving import address_of, listen, serve
from transfers.models import Destination, Transfer
from transfers.states import HELD, State

DESTINATION = "demo-archive"
STUDY = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests" / "98892003"
"""An MR study of several series, from the files that come with pydicom."""
USER = "demo"
SHOWN = frozenset(ExitCode) - {ExitCode.WRONG_USAGE, ExitCode.OUR_ERROR, ExitCode.INTERRUPTED}
"""What a send may come to for there to be something to look at."""
PATIENCE_SECONDS = 15
"""For the archive's report, which takes a moment: longer only where another program has the port that it comes to."""


class Command(TallymanCommand):
    help = "Start a demo archive, send it a real study, print the verdict table, and serve the pages that show it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="*", metavar="PATH", help="file, folder or ZIP file (default: an MR study)")
        parser.add_argument("--oneshot", action="store_true", help="end after the verdict table, as send does")

    def run(self, **options: Any) -> None:
        accept_private_sop_classes()
        with (
            _the_only_demo(settings.DATA_DIR / "demo") as folder,
            _listening(_prepared(folder / "archive")) as archive,
        ):
            _point_destination_to(archive)
            exit_code = self._send(archive, options["paths"] or [str(STUDY)])
            if options["oneshot"] or exit_code not in SHOWN:
                sys.exit(exit_code)
            self._serve()

    def _send(self, archive: DemoArchive, paths: list[str]) -> int:
        self.stdout.write(
            f"Demo archive {archive.ae_title} on {archive.host}:{archive.port}, storing to {archive.store.folder}\n"
            f"Sending {', '.join(paths)} to it\n"
        )
        self.stdout.flush()
        try:
            call_command("send", *paths, to=DESTINATION, stdout=self.stdout, stderr=self.stderr)
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    def _serve(self) -> None:
        self.stdout.write(f"\n{_user()}\n")
        with self._listen() as listening:
            serve(listening, lambda: self._announce(address_of(listening)))

    def _listen(self) -> socket:
        try:
            return listen(HOST, PORT)
        except CommandError:
            self.stdout.write(f"Port {PORT} is in use, so this takes one that is free.\n")
            return listen(HOST, 0)

    def _announce(self, address: str) -> None:
        self.stdout.write(f"Ctrl-C ends it, and the archive with it.\nTallyman on {address}")
        self.stdout.flush()


def _user() -> str:
    """Make somebody to log in as, the first time, and say how to."""
    if User.objects.filter(username=USER).exists():
        return f"Log in as {USER}; its password was shown when it was made (manage.py changepassword {USER}: a new one)"
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser(USER, password=password)
    return f"Log in as {USER} with the password {password} (it is shown only now)"


@contextmanager
def _the_only_demo(folder: Path) -> Iterator[Path]:
    """Two demos would store to one folder, and be one destination."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise wrong_usage("A demo is running already: wait until it has ended.") from None
        yield folder


def _prepared(folder: Path) -> Path:
    """Empty, so that what a transfer finds there is what it brought.

    Only where a demo was broken off it still holds what arrived by then, since that transfer goes on.
    """
    unfinished = [State.QUEUED, State.INTERRUPTED, State.FAILED, State.AWAITING_COMMITMENT, *HELD]
    if not Transfer.objects.filter(destination__name=DESTINATION, state__in=unfinished).exists():
        shutil.rmtree(folder, ignore_errors=True)
    return folder


@contextmanager
def _listening(folder: Path) -> Iterator[DemoArchive]:
    """On the port that it had the last time, if that is free: on another it would be another destination."""
    before = Destination.objects.filter(name=DESTINATION).first()
    archive = DemoArchive(folder, port=(before and before.port) or 0, report_port=settings.DICOM_PORT)
    try:
        archive.start()
    except OSError:
        archive = DemoArchive(folder, report_port=settings.DICOM_PORT)
        archive.start()
    try:
        yield archive
    finally:
        archive.stop()


def _point_destination_to(archive: DemoArchive) -> None:
    """The demo archive never replaces what it stores by other content, so there the same UID means the same content."""
    where = {"kind": "dicom", "host": archive.host, "port": archive.port, "called_ae_title": archive.ae_title}
    declared = {
        "same_uid_means_same_content": True,
        "tls_enabled": False,
        "offers_commitment": True,
        "commitment_timeout_seconds": PATIENCE_SECONDS,
    }
    Destination.objects.update_or_create(name=DESTINATION, defaults={**where, **declared})
