"""`manage.py demo [PATH…]`: the main job on real input, with an archive of its own."""

from __future__ import annotations

import fcntl
import shutil
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
from django.conf import settings
from django.core.management import call_command

from transfers.demo_archive import DemoArchive, accept_private_sop_classes
from transfers.management.base import TallymanCommand, wrong_usage
from transfers.models import Destination, Transfer
from transfers.states import HELD, State

DESTINATION = "demo-archive"
STUDY = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests" / "98892003"
"""An MR study of several series, from the files that come with pydicom."""


class Command(TallymanCommand):
    help = "Start a demo archive, send it a real study, print the verdict table, and end the archive."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="*", metavar="PATH", help="file, folder or ZIP file (default: an MR study)")

    def run(self, **options: Any) -> None:
        paths = options["paths"] or [str(STUDY)]
        accept_private_sop_classes()
        with (
            _the_only_demo(settings.DATA_DIR / "demo") as folder,
            DemoArchive(_prepared(folder / "archive")) as archive,
        ):
            _point_destination_to(archive)
            self.stdout.write(
                f"Demo archive {archive.ae_title} on {archive.host}:{archive.port}, storing to {archive.store.folder}\n"
                f"Sending {', '.join(paths)} to it\n"
            )
            self.stdout.flush()
            call_command("send", *paths, to=DESTINATION, stdout=self.stdout, stderr=self.stderr)


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
    unfinished = [State.INTERRUPTED, State.FAILED, *HELD]
    if not Transfer.objects.filter(destination__name=DESTINATION, state__in=unfinished).exists():
        shutil.rmtree(folder, ignore_errors=True)
    return folder


def _point_destination_to(archive: DemoArchive) -> None:
    """The demo archive never replaces what it stores by other content, so there the same UID means the same content."""
    where = {"kind": "dicom", "host": archive.host, "port": archive.port, "called_ae_title": archive.ae_title}
    Destination.objects.update_or_create(
        name=DESTINATION, defaults={**where, "same_uid_means_same_content": True, "tls_enabled": False}
    )
