"""`manage.py verify TRANSFER [--to NAME]`, or `verify PATH… --to NAME`: asks what is there; nothing is sent."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import suppress
from threading import Event
from typing import Any
from uuid import UUID

from audit.entries import InputManifest
from transfers import queue, services
from transfers.exit_codes import ExitCode
from transfers.feasibility import NO_COMMITMENT
from transfers.management.base import (
    WAYS_TO_VERIFY,
    TallymanCommand,
    destination_named,
    stop_on_signal,
    way_to_verify,
    wrong_usage,
)
from transfers.management.inputs import read_manifest
from transfers.management.outcome import await_commitments, finish, listening, run_one
from transfers.management.terminal import progress_bar
from transfers.models import Destination, Transfer


class Command(TallymanCommand):
    help = "Ask a destination about a transfer, or about the studies of files; nothing is sent."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("targets", nargs="+", metavar="TRANSFER|PATH", help="transfer id; with --to also paths")
        parser.add_argument("--to", metavar="NAME", help="destination to ask (default: that of the transfer)")
        parser.add_argument(
            "--verify", type=way_to_verify, metavar=WAYS_TO_VERIFY, help="how to ask (default: presence)"
        )
        parser.add_argument("--commitment", action="store_true", help="also ask it to commit to what it holds")
        parser.add_argument("--json", action="store_true", help="print the report as one JSON document")

    def run(self, **options: Any) -> None:
        options["verify"] = options["verify"] or "presence"
        earlier = _transfer_named(options)
        manifest = read_manifest(options["targets"]) if earlier is None else InputManifest((), ())
        destination = _destination(options["to"], earlier)
        if options["commitment"] and destination.kind != "dicom":
            raise wrong_usage(NO_COMMITMENT)
        stop = Event()
        transfers = []
        with stop_on_signal(stop), listening(options["commitment"]), progress_bar(sys.stderr) as watch:
            for transfer in _to_ask(earlier, destination, manifest, options):
                transfers.append(transfer)
                run_one(transfer, stop, watch)
                if stop.is_set():
                    break
            await_commitments(transfers, stop)
        cut_short = ExitCode.INTERRUPTED if len(transfers) < len(manifest.studies) else None
        finish(self.stdout, transfers, manifest.skipped, as_json=options["json"], cut_short=cut_short)


def _destination(name: str | None, earlier: Transfer | None) -> Destination:
    if name:
        return destination_named(name)
    assert earlier is not None, "without a transfer, --to is asked for"
    return earlier.destination


def _to_ask(
    earlier: Transfer | None, destination: Destination, manifest: InputManifest, options: dict[str, Any]
) -> Iterator[Transfer]:
    """One after the other, so that what is never come to is never begun."""
    if earlier is None:
        yield from _inquiries(manifest, destination, options)
    elif destination == earlier.destination:
        yield _again(earlier, options)
    else:
        yield services.inquire_elsewhere(
            earlier,
            destination,
            verify=options["verify"],
            asks_commitment=options["commitment"],
            worker=queue.this_process(),
        )


def _inquiries(manifest: InputManifest, destination: Destination, options: dict[str, Any]) -> Iterator[Transfer]:
    for study in manifest.studies:
        yield services.create_transfer(
            study,
            destination=destination,
            method=None,
            verify=options["verify"],
            asks_commitment=options["commitment"],
            files_left_out=manifest.left_out,
            worker=queue.this_process(),
        )


def _again(transfer: Transfer, options: dict[str, Any]) -> Transfer:
    try:
        services.reverify(transfer, options["verify"], queue.this_process(), asks_commitment=options["commitment"])
    except queue.TransferIsHeld:
        raise wrong_usage("Another process works on this transfer: wait until it ends.") from None
    except services.DestinationMoved as error:
        raise wrong_usage(str(error)) from None
    return transfer


def _transfer_named(options: dict[str, Any]) -> Transfer | None:
    """None where paths are named."""
    targets = options["targets"]
    found = None
    with suppress(ValueError):
        found = Transfer.objects.filter(public_id=UUID(targets[0])).first()
    if found is not None and len(targets) > 1:
        raise wrong_usage("Give one transfer id, or paths with --to NAME.")
    if found is not None or options["to"]:
        return found
    if len(targets) > 1:
        raise wrong_usage("Give one transfer id, or paths with --to NAME.")
    raise wrong_usage(f"There is no transfer “{targets[0]}”. To ask about files, name the destination: --to NAME.")
