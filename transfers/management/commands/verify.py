"""`manage.py verify`: ask a destination what it holds, sending nothing."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from threading import Event
from typing import Any
from uuid import UUID

from audit.entries import InputManifest
from transfers import queue, services
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
        stop = Event()
        with stop_on_signal(stop), progress_bar(sys.stderr) as watch:
            if options["to"]:
                manifest = read_manifest(options["targets"])
                transfers = _verifications(manifest, options)
            else:
                manifest = InputManifest((), ())
                transfers = [_again(options)]
            for transfer in transfers:
                run_one(transfer, stop, watch)
        finish(self.stdout, transfers, manifest.skipped, as_json=options["json"])


def _verifications(manifest: InputManifest, options: dict[str, Any]) -> list[Transfer]:
    destination = destination_named(options["to"])
    return [
        services.create_transfer(
            study,
            destination=destination,
            method=None,
            verify=options["verify"],
            files_left_out=manifest.left_out,
            worker=queue.this_process(),
        )
        for study in manifest.studies
    ]


def _again(options: dict[str, Any]) -> Transfer:
    transfer = _transfer_named(options["targets"])
    try:
        services.reverify(transfer, options["verify"], queue.this_process())
    except queue.TransferIsHeld:
        raise wrong_usage("Another process works on this transfer: wait until it ends.") from None
    return transfer


def _transfer_named(targets: list[str]) -> Transfer:
    if len(targets) > 1:
        raise wrong_usage("Give one transfer id, or paths with --to NAME.")
    try:
        return Transfer.objects.get(public_id=UUID(targets[0]))
    except (ValueError, Transfer.DoesNotExist):
        message = f"There is no transfer “{targets[0]}”. To ask about files, name the destination: --to NAME."
        raise wrong_usage(message) from None
