"""What our commands share: a database that is ready, errors in plain words, an orderly stop."""

from __future__ import annotations

import signal
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Any, TypeVar

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from audit.guards import check_guards
from transfers.exit_codes import ExitCode
from transfers.models import Destination, Source
from transfers.verification import Verification


class TallymanCommand(BaseCommand):
    """A command that reads or writes the database. Subclasses implement `run`."""

    requires_system_checks = ()

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            self._run(options)
        except CommandError:
            if options.get("json"):
                self.stdout.write('{"transfers": [], "skipped": []}')
            raise

    def _run(self, options: dict[str, Any]) -> None:
        try:
            prepare_database()
            for warning in check_guards(["default"]):
                self.stderr.write(f"Warning: {warning.msg} {warning.hint}")
            self.run(**options)
        except KeyboardInterrupt:
            raise CommandError(
                "Broken off at once. What was saved is kept, and the same command goes on from there.",
                returncode=ExitCode.INTERRUPTED,
            ) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database failed: {error}. Check that it is running, and that its disk is not full; "
                "what was saved before is kept, and the same command goes on from there.",
                returncode=ExitCode.OUR_ERROR,
            ) from error

    def run(self, **options: Any) -> None:
        raise NotImplementedError


_Peer = TypeVar("_Peer", Destination, Source)

WAYS_TO_VERIFY = "none|presence|content[:SAMPLE%]"


def way_to_verify(text: str) -> str:
    """Type of an argument."""
    try:
        return str(Verification.parse(text))
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def wrong_usage(message: str) -> CommandError:
    return CommandError(message, returncode=ExitCode.WRONG_USAGE)


def prepare_database() -> None:
    """Make the embedded database on first use.

    Raises CommandError for any other database that lacks migrations: whoever runs that one decides when.
    """
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    if connection.vendor == "sqlite":
        call_command("migrate", verbosity=0, interactive=False)
        return
    raise CommandError("The database is not up to date: run `manage.py migrate` first.", returncode=ExitCode.OUR_ERROR)


def destination_named(name: str) -> Destination:
    """Raises CommandError, with the names that there are, for an unknown one."""
    return _named(Destination, name)


def source_named(name: str) -> Source:
    """Raises CommandError, with the names that there are, for an unknown one."""
    return _named(Source, name)


def _named(kind: type[_Peer], name: str) -> _Peer:
    word = kind.__name__.lower()
    found = kind.objects.filter(name=name).first()
    if found is None:
        known = ", ".join(kind.objects.values_list("name", flat=True)) or "none yet"
        raise wrong_usage(f"There is no {word} “{name}” (there are: {known}). Add it with `manage.py {word} add`.")
    return found


@contextmanager
def stop_on_signal(stop: Event) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM sets `stop`, so that what is under way ends in order; the second one breaks off."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
