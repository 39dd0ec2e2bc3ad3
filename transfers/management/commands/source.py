"""`manage.py source add | list | show | remove | check`: the archives that studies can be taken from."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.db.models import ProtectedError
from django.forms.models import model_to_dict

from transfers.management.base import TallymanCommand, source_named, wrong_usage
from transfers.management.peer_options import (
    add_actions,
    add_peer_arguments,
    clean,
    peer_fields,
    print_check,
    secrets_set,
)
from transfers.models import Source, source_kind_choices
from transfers.source_check import check_source


class Command(TallymanCommand):
    help = "Add, list, show, remove and check sources."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = add_actions(parser, "source", "does it answer, and can it be searched?")
        add.add_argument("--kind", choices=[key for key, _ in source_kind_choices()], default="orthanc")
        add_peer_arguments(add)
        add.add_argument("--connections", type=int, help="how many requests may be under way side by side")

    def run(self, **options: Any) -> None:
        getattr(self, f"run_{options['action']}")(options)

    def run_add(self, options: dict[str, Any]) -> None:
        if Source.objects.filter(name=options["name"]).exists():
            raise wrong_usage(f"There is a source “{options['name']}” already: remove it first, or take another name.")
        connections = {"connections": options["connections"]} if options["connections"] is not None else {}
        source = Source(**peer_fields(options), **connections)
        clean(source)
        source.save()
        self.stdout.write(f"Added {source}. Try it: manage.py source check {source}")

    def run_list(self, _options: dict[str, Any]) -> None:
        for source in Source.objects.all():
            self.stdout.write(f"{source.name}  {source.kind}  {source.url}")

    def run_show(self, options: dict[str, Any]) -> None:
        """Everything that is set, but for the secrets: only whether there are any."""
        source = source_named(options["name"])
        for name, value in model_to_dict(source, exclude=["id"]).items():
            self.stdout.write(f"{name}: {value}")
        for line in secrets_set(source):
            self.stdout.write(line)

    def run_remove(self, options: dict[str, Any]) -> None:
        source = source_named(options["name"])
        try:
            source.delete()
        except ProtectedError:
            raise wrong_usage(f"{source} has transfers, whose audits stay: it cannot be removed.") from None
        self.stdout.write(f"Removed {source}.")

    def run_check(self, options: dict[str, Any]) -> None:
        print_check(self.stdout, check_source(source_named(options["name"])))
