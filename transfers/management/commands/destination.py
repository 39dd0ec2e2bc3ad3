"""`manage.py destination add | list | show | remove | check`: the archives that studies can be sent to."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError
from django.forms.models import model_to_dict

from transfers.destination_check import check_destination
from transfers.management.base import (
    WAYS_TO_VERIFY,
    TallymanCommand,
    destination_named,
    way_to_verify,
    wrong_usage,
)
from transfers.management.peer_options import (
    add_actions,
    add_peer_arguments,
    clean,
    peer_fields,
    print_check,
    secrets_set,
)
from transfers.models import Destination, kind_choices

#: Option of `add` → field of Destination, for those that are given as they are.
_PLAIN_OPTIONS = {
    "associations": int,
    "acse_timeout_seconds": float,
    "presence_settle_seconds": float,
    "probe_retry_seconds": float,
    "commitment_timeout_seconds": float,
    "commitment_batch_size": int,
}


class Command(TallymanCommand):
    help = "Add, list, show, remove and check destinations."

    def add_arguments(self, parser: ArgumentParser) -> None:
        _add_arguments_of_add(add_actions(parser, "destination", "does it answer, and what can it be asked?"))

    def run(self, **options: Any) -> None:
        getattr(self, f"run_{options['action']}")(options)

    def run_add(self, options: dict[str, Any]) -> None:
        if Destination.objects.filter(name=options["name"]).exists():
            raise wrong_usage(
                f"There is a destination “{options['name']}” already: remove it first, or take another name."
            )
        destination = Destination(**_fields(options))
        sides = [destination_named(name) for name in options["ask_at"]]
        clean(destination)
        with transaction.atomic():
            destination.save()
            destination.ask_at.set(sides)
        self.stdout.write(f"Added {destination}. Try it: manage.py destination check {destination}")

    def run_list(self, _options: dict[str, Any]) -> None:
        for destination in Destination.objects.prefetch_related("ask_at"):
            address = destination.url if destination.kind != "dicom" else _dicom_address(destination)
            line = f"{destination.name}  {destination.kind}  {address}  verify={destination.verify}"
            also = f"  ask-at={names}" if (names := _names(destination)) else ""
            self.stdout.write(line + also)

    def run_show(self, options: dict[str, Any]) -> None:
        """Everything that is set, but for the secrets: only whether there are any."""
        destination = destination_named(options["name"])
        for name, value in model_to_dict(destination, exclude=["id", "ask_at"]).items():
            self.stdout.write(f"{name}: {value}")
        self.stdout.write(f"ask_at: {_names(destination)}")
        for line in secrets_set(destination):
            self.stdout.write(line)

    def run_remove(self, options: dict[str, Any]) -> None:
        destination = destination_named(options["name"])
        if asking := ", ".join(Destination.objects.filter(ask_at=destination).values_list("name", flat=True)):
            raise wrong_usage(f"{asking} is asked at {destination} too: remove that first, or change it.")
        try:
            destination.delete()
        except ProtectedError:
            message = f"{destination} has transfers, whose audits stay: it cannot be removed."
            raise wrong_usage(message) from None
        self.stdout.write(f"Removed {destination}.")

    def run_check(self, options: dict[str, Any]) -> None:
        print_check(self.stdout, check_destination(destination_named(options["name"])))


def _add_arguments_of_add(parser: ArgumentParser) -> None:
    parser.add_argument("--kind", required=True, choices=[key for key, _ in kind_choices()])
    parser.add_argument("--host", default="", help="of a DICOM archive")
    parser.add_argument("--port", type=int, help="of a DICOM archive")
    parser.add_argument("--ae-title", default="", help="called AE title: the archive's")
    parser.add_argument("--calling-ae-title", default="", help="ours (default: DICOM_AE_TITLE)")
    add_peer_arguments(parser)
    parser.add_argument("--verify", type=way_to_verify, metavar=WAYS_TO_VERIFY, default="presence")
    parser.add_argument(
        "--ask-at",
        nargs="+",
        action="extend",
        metavar="NAME",
        default=[],
        help="destinations that are the same archive, by which it is asked, read back and watched too",
    )
    parser.add_argument("--commitment", action="store_true", help="it offers Storage Commitment: ask for it by default")
    parser.add_argument(
        "--reverify-after-days", metavar="DAYS", default="", help="ask again about committed studies: 1,7,30"
    )
    parser.add_argument(
        "--acknowledgement-means-stored", action="store_true", help="it answers only after saving, and drops nothing"
    )
    parser.add_argument(
        "--same-uid-means-same-content", action="store_true", help="what it held under a UID before is the same content"
    )
    for option, kind in _PLAIN_OPTIONS.items():
        parser.add_argument(f"--{option.replace('_', '-')}", type=kind)


def _fields(options: dict[str, Any]) -> dict[str, Any]:
    """The model's fields; what is not given keeps the model's default."""
    plain = {option: options[option] for option in _PLAIN_OPTIONS if options[option] is not None}
    return {
        **peer_fields(options),
        "host": options["host"],
        "port": options["port"],
        "called_ae_title": options["ae_title"],
        "calling_ae_title": options["calling_ae_title"],
        "offers_commitment": options["commitment"],
        "reverify_after_days": options["reverify_after_days"],
        "verify": options["verify"],
        "acknowledgement_means_stored": options["acknowledgement_means_stored"],
        "same_uid_means_same_content": options["same_uid_means_same_content"],
        **plain,
    }


def _names(destination: Destination) -> str:
    return ", ".join(side.name for side in destination.ask_at.all())


def _dicom_address(destination: Destination) -> str:
    return f"{destination.called_ae_title}@{destination.host}:{destination.port}"
