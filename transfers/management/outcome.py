"""How `send` and `verify` run a transfer and end: the report or the table, and the exit status."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event

from django.core.management.base import OutputWrapper
from django.db import DatabaseError

from audit.entries import Skipped
from audit.judgements import StudyVerdict
from transfers import commitments
from transfers.errors import ListenerNotStarted
from transfers.exit_codes import ExitCode, exit_code_of, worst
from transfers.listener import make_listener
from transfers.management.terminal import print_skipped, print_verdicts
from transfers.models import Transfer
from transfers.progress import Watcher
from transfers.queue import TransferIsHeld
from transfers.reports import write_report
from transfers.runner import run_transfer
from transfers.states import State

_LOOK_SECONDS = 0.2


def run_one(transfer: Transfer, stop: Event, watch: Watcher) -> None:
    """Run a claimed transfer; an error of ours is told by its state, and does not keep the next study from its turn.

    Raises DatabaseError: without a database nothing can go on.
    """
    try:
        run_transfer(transfer, stop=stop, watch=watch)
    except DatabaseError:
        raise
    except TransferIsHeld:
        sys.stderr.write(f"Transfer {transfer.public_id} was taken over by another process, which goes on with it.\n")
    except Exception as error:  # noqa: BLE001  logged by the runner
        sys.stderr.write(f"Transfer {transfer.public_id} failed by an error of ours: {type(error).__name__}.\n")
    transfer.refresh_from_db()


@contextmanager
def listening(transfers_ask: bool) -> Iterator[None]:
    """Take reports of storage commitment as long as the block lasts, where any may come.

    Where the port is taken, another listener of this installation is trusted to have it: reports are waited for in the
    database all the same.
    """
    if not transfers_ask:
        yield
        return
    listener = make_listener()
    try:
        listener.start()
    except ListenerNotStarted as error:
        sys.stderr.write(f"{error} Reports are waited for all the same: another listener may take them.\n")
        yield
        return
    try:
        yield
    finally:
        listener.stop()


def await_commitments(transfers: Sequence[Transfer], stop: Event) -> None:
    """Wait until every report has come or is overdue, or until stopped: then whoever listens takes them."""
    for transfer in transfers:
        while transfer.state == State.AWAITING_COMMITMENT and not stop.wait(_LOOK_SECONDS):
            commitments.weigh(transfer.pk)
            transfer.refresh_from_db()


def finish(
    stream: OutputWrapper,
    transfers: Sequence[Transfer],
    skipped: Sequence[Skipped],
    *,
    as_json: bool,
    cut_short: ExitCode | None = None,
) -> None:
    """Print what came of it, and exit with the worst of it (nothing is raised for 0).

    `cut_short`: why a study of the input has no transfer here.
    """
    if as_json:
        write_report(stream, transfers, skipped)
    else:
        if transfers:
            print_verdicts(stream, transfers)
        elif cut_short is None:
            stream.write("No transfer could be made from this input: it holds no readable DICOM instance.\n")
        print_skipped(stream, skipped)
    codes = [_exit_code(transfer) for transfer in transfers]
    code = worst(codes if cut_short is None else [*codes, cut_short])
    stream.flush()
    if code is not ExitCode.COMMITTED:
        sys.exit(code)


def _exit_code(transfer: Transfer) -> ExitCode:
    return exit_code_of(State(transfer.state), StudyVerdict(transfer.audit.verdict), transfer.audit.files_left_out)
