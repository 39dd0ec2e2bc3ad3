"""`manage.py send PATH… --to NAME`, or `--from SOURCE --study UID`: the main job, from instances to verdicts."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from threading import Event
from typing import Any

from django.db import transaction

from transfers import queue, services
from transfers.exit_codes import ExitCode
from transfers.feasibility import NotFeasible, Plan, Wish, plan_of
from transfers.management.base import (
    WAYS_TO_VERIFY,
    TallymanCommand,
    destination_named,
    source_named,
    stop_on_signal,
    way_to_verify,
    wrong_usage,
)
from transfers.management.inputs import Input, Study, input_of_paths, input_of_source
from transfers.management.outcome import await_commitments, finish, listening, run_one
from transfers.management.terminal import progress_bar
from transfers.methods import METHODS
from transfers.methods.options import WrongOption, parse_options
from transfers.models import Destination, Source, Transfer


class Command(TallymanCommand):
    help = "Send files, folders and ZIP files, or studies of a source: one transfer a study, each with its verdict."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="*", metavar="PATH", help="file, folder or ZIP file")
        parser.add_argument("--from", dest="source", metavar="SOURCE", help="in place of paths: what holds the studies")
        parser.add_argument(
            "--study", action="append", default=[], metavar="UID", help="of the source: Study Instance UID; repeatable"
        )
        parser.add_argument(
            "--wait-until-stable", action="store_true", help="first wait until the source calls the studies stable"
        )
        parser.add_argument("--to", required=True, metavar="NAME", help="destination")
        parser.add_argument(
            "--method", choices=sorted(METHODS), help="how to send (default: by the kind of destination)"
        )
        parser.add_argument(
            "--option", action="append", default=[], metavar="KEY=VALUE", help="of the method; repeatable"
        )
        parser.add_argument(
            "--verify", type=way_to_verify, metavar=WAYS_TO_VERIFY, help="default: the destination's policy"
        )
        parser.add_argument("--commitment", action="store_true", help="also ask the destination to commit to all of it")
        parser.add_argument("--rollback", action="store_true", help="all or nothing: remove again what was added")
        parser.add_argument("--send-what-can", action="store_true", help="go on without what cannot be sent")
        parser.add_argument("--json", action="store_true", help="print the report as one JSON document")

    def run(self, **options: Any) -> None:
        destination = destination_named(options["to"])
        source = _source(options)
        plan = _plan(destination, source, options)
        options |= {"method": plan.method, "verify": plan.verify, "commitment": plan.asks_commitment}
        options["option"] = _options(options)
        stop = Event()
        found = _input(source, options, stop)
        transfers: list[Transfer] = []
        held: list[str] = []
        with stop_on_signal(stop), listening(options["commitment"]), progress_bar(sys.stderr) as watch:
            for study in found.studies:
                if stop.is_set():
                    break
                try:
                    transfer = _take(study, destination, found, options)
                except queue.TransferIsHeld:
                    held.append(study.manifest.study_instance_uid)
                    continue
                transfers.append(transfer)
                run_one(transfer, stop, watch)
            await_commitments(transfers, stop)
        for study_instance_uid in held:
            self.stderr.write(
                f"Another process is sending study {study_instance_uid} to {destination}: wait until it ends."
            )
        done = len(transfers) + len(held)
        cut_short = ExitCode.INTERRUPTED if done < len(found.studies) else ExitCode.WRONG_USAGE if held else None
        finish(self.stdout, transfers, found.skipped, as_json=options["json"], cut_short=cut_short)


def _source(options: dict[str, Any]) -> Source | None:
    """Raises CommandError unless there are either paths, or a source with studies."""
    if bool(options["paths"]) == bool(options["source"]):
        raise wrong_usage("Name what to send: paths, or a source by --from with its --study.")
    if bool(options["study"]) != bool(options["source"]):
        raise wrong_usage("--from SOURCE and --study UID belong together.")
    return source_named(options["source"]) if options["source"] else None


def _input(source: Source | None, options: dict[str, Any], stop: Event) -> Input:
    if source is None:
        return input_of_paths(options["paths"])
    with stop_on_signal(stop):
        return input_of_source(source, options["study"], stop, waits_until_stable=options["wait_until_stable"])


def _plan(destination: Destination, source: Source | None, options: dict[str, Any]) -> Plan:
    """Refuses beforehand what cannot be promised there."""
    wish = Wish(
        destination,
        method=options["method"] or "",
        source=source,
        verify=options["verify"] or "",
        asks_commitment=options["commitment"] or None,
        rolls_back=options["rollback"],
    )
    try:
        return plan_of(wish)
    except NotFeasible as error:
        raise wrong_usage(str(error)) from error


def _options(options: dict[str, Any]) -> dict[str, Any]:
    try:
        return parse_options(METHODS[options["method"]].Options, options["option"])
    except WrongOption as error:
        raise wrong_usage(str(error)) from error


def _take(study: Study, destination: Destination, found: Input, options: dict[str, Any]) -> Transfer:
    """The unfinished transfer of the same files, taken up again, or a new one.

    Raises TransferIsHeld where another process is at it.
    """
    worker = queue.this_process()
    asked_for = {
        "verify": options["verify"],
        "send_what_can": options["send_what_can"],
        "asks_commitment": options["commitment"],
        "rolls_back": options["rollback"],
        "options": options["option"],
    }
    with transaction.atomic():
        services.lock(destination)
        source = study.at_source.source if study.at_source else None
        unfinished = services.find_unfinished(
            study.manifest, destination=destination, method=options["method"], source=source
        )
        if unfinished is None:
            return services.create_transfer(
                study.manifest,
                at_source=study.at_source,
                destination=destination,
                method=options["method"],
                files_left_out=found.left_out,
                worker=worker,
                **asked_for,
            )
        services.resume(unfinished, worker, **asked_for)
    return unfinished
