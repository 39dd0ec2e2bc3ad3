"""`manage.py demo_archive`: a DICOM archive on this machine, to try Tallyman with."""

from __future__ import annotations

import errno
import signal
from argparse import ArgumentParser
from pathlib import Path
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from transfers.demo_archive import DEFAULT_AE_TITLE, DemoArchive, accept_private_sop_classes
from transfers.endpoints import validate_ae_title
from transfers.exit_codes import ExitCode

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
PORTS = range(65536)
LOOK_SECONDS = 0.2


class Command(BaseCommand):
    """Runs until it is told to stop by SIGTERM or Ctrl-C."""

    help = "Runs a DICOM archive on 127.0.0.1 that stores to a folder: C-ECHO, C-STORE, C-FIND, storage commitment."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, required=True, help="port to listen on; 0: one that is free")
        parser.add_argument("--folder", type=Path, required=True, help="where to store; made if it is not there")
        parser.add_argument("--ae-title", default=DEFAULT_AE_TITLE, help=f"AE title (default: {DEFAULT_AE_TITLE})")

        parser.add_argument(
            "--report-to",
            action="append",
            default=[],
            metavar="AET=HOST:PORT",
            help="where reports on storage commitment go that this AE title asked for; may be given more than once "
            f"(default: the host that asked, port {settings.DICOM_PORT}: DICOM_PORT)",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        stop = _stop_event()
        archive = self._opened(options)
        accept_private_sop_classes()
        _listen(archive)
        self.stdout.write(
            f"Demo archive {archive.ae_title} listening on {archive.host}:{archive.port}, "
            f"storing to {archive.store.folder}"
        )
        self.stdout.flush()
        while not stop.wait(LOOK_SECONDS):  # a signal that another thread takes does not wake this one
            pass
        archive.stop()

    def _opened(self, options: dict[str, Any]) -> DemoArchive:
        port, folder = options["port"], options["folder"].absolute()
        if port not in PORTS:
            raise _wrong_usage(f"{port} is not a port: give a number from 1 to 65535, or 0 for one that is free.")
        report_to = dict(map(_report_to, options["report_to"]))
        try:
            return DemoArchive(
                folder,
                port=port,
                ae_title=validate_ae_title(options["ae_title"]),
                report_to=report_to,
                report_port=settings.DICOM_PORT,
            )
        except ValueError as error:
            raise _wrong_usage(f"{error} Give another one with --ae-title.") from error
        except OSError as error:
            raise _wrong_usage(
                f"{folder} cannot be written to ({error.strerror}). Give another folder with --folder, "
                "or make it writable for the user who runs this."
            ) from error


def _report_to(text: str) -> tuple[str, tuple[str, int]]:
    """AE title, and host and port."""
    ae_title, _, address = text.rpartition("=")
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) not in PORTS[1:]:
        raise _wrong_usage(
            f"“{text}” does not say where to report to: give it as AET=HOST:PORT, like PACS=10.0.0.5:104."
        )
    try:
        return validate_ae_title(ae_title), (host.strip("[]"), int(port))
    except ValueError as error:
        raise _wrong_usage(f"{error} Give --report-to as AET=HOST:PORT.") from error


def _stop_event() -> Event:
    """Set when the process is told to stop; taken before anything begins, so that no signal comes too early."""
    stop = Event()
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    return stop


def _listen(archive: DemoArchive) -> None:
    try:
        archive.start()
    except OSError as error:
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be listened on ({error.strerror})"
        raise _wrong_usage(
            f"Port {archive.port} {reason}. Give another with --port (0: one that is free), "
            "or end the program that listens there."
        ) from error


def _wrong_usage(message: str) -> CommandError:
    return CommandError(message, returncode=ExitCode.WRONG_USAGE)
