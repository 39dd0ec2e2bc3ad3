"""`manage.py verify`: ask a destination what it holds, sending nothing."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from threading import Event
from typing import Any
from uuid import UUID

from audit.entries import InputManifest
from transfers import queue, services
from transfers.exit_codes import ExitCode
from transfers.management.base import TallymanCommand, destination_named, stop_on_signal, wrong_usage
from transfers.management.inputs import read_manifest
from transfers.management.outcome import finish, run_one
from transfers.management.terminal import progress_bar
from transfers.models import Transfer


class Command(TallymanCommand):
    help = "Ask a destination about the study of an earlier transfer, or about the studies of files; nothing is sent."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("targets", nargs="+", metavar="TRANSFER|PATH", help="transfer id; with --to: paths")
        parser.add_argument("--to", metavar="NAME", help="destination to ask about the studies of the paths")
        parser.add_argument("--verify", choices=["presence"], default="presence", help="how to ask (default: presence)")
        parser.add_argument("--json", action="store_true", help="print the report as one JSON document")

    def run(self, **options: Any) -> None:
        manifest = read_manifest(options["targets"]) if options["to"] else InputManifest((), ())
        stop = Event()
        transfers = []
        with stop_on_signal(stop), progress_bar(sys.stderr) as watch:
            for transfer in _inquiries(manifest, options) if options["to"] else [_again(options)]:
                transfers.append(transfer)
                run_one(transfer, stop, watch)
                if stop.is_set():
                    break
        cut_short = ExitCode.INTERRUPTED if len(transfers) < len(manifest.studies) else None
        finish(self.stdout, transfers, manifest.skipped, as_json=options["json"], cut_short=cut_short)


def _inquiries(manifest: InputManifest, options: dict[str, Any]) -> Iterator[Transfer]:
    """One after the other, so that what is never come to is never begun."""
    destination = destination_named(options["to"])
    for study in manifest.studies:
        yield services.create_transfer(
            study,
            destination=destination,
            method=None,
            verify=options["verify"],
            files_left_out=manifest.left_out,
            worker=queue.this_process(),
        )


def _again(options: dict[str, Any]) -> Transfer:
    transfer = _transfer_named(options["targets"])
    try:
        services.reverify(transfer, options["verify"], queue.this_process())
    except queue.TransferIsHeld:
        raise wrong_usage("Another process works on this transfer: wait until it ends.") from None
    except services.DestinationMoved as error:
        raise wrong_usage(str(error)) from None
    return transfer


def _transfer_named(targets: list[str]) -> Transfer:
    if len(targets) > 1:
        raise wrong_usage("Give one transfer id, or paths with --to NAME.")
    try:
        return Transfer.objects.get(public_id=UUID(targets[0]))
    except (ValueError, Transfer.DoesNotExist):
        message = f"There is no transfer “{targets[0]}”. To ask about files, name the destination: --to NAME."
        raise wrong_usage(message) from None
