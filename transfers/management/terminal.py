"""What `send` and `verify` show: a progress bar while they run, and the verdict table."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TextIO, cast

from django.core.management.base import OutputWrapper
from django.db.models import Count
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from audit.entries import Skipped
from audit.escaping import printable
from audit.judging import HELD_BACK
from audit.models import Evidence
from audit.observations import EvidenceKind
from audit.reports import counts_of, reason_for
from transfers.models import Transfer
from transfers.progress import Progress, Watcher
from transfers.states import State

_WORDS = {
    State.PREFLIGHT: "Asking the destination what it takes and what it holds",
    State.SENDING: "Sending",
    State.VERIFYING: "Asking the destination what arrived",
    State.ROLLING_BACK: "Removing again what was brought there",
}
_REDRAW_SECONDS = 0.1
_SKIPPED_SHOWN = 20
_UID_END = 12
_NOT_SENT_SHOWN = 5
_STYLES = {"committed": "green", "partial": "yellow", "nothing-stored": "red", "unverifiable": "magenta"}


@contextmanager
def progress_bar(stream: TextIO) -> Iterator[Watcher]:
    """A bar on a terminal; elsewhere nothing."""
    console = Console(file=stream)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True, disable=not stream.isatty()) as bar:
        yield _Watch(bar)


@contextmanager
def reading_bar(stream: TextIO) -> Iterator[Callable[[int], None]]:
    """Counts the files that were read, on a terminal; elsewhere nothing."""
    columns = (TextColumn("Reading the input"), TextColumn("{task.completed:,} files"))
    with Bar(*columns, console=Console(file=stream), transient=True, disable=not stream.isatty()) as bar:
        task = bar.add_task("", total=None)
        yield lambda count: bar.update(task, completed=count)


class _Watch:
    """Draws no more often than the eye sees, since it is called for every instance."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None, speed="")
        self._state: State | None = None
        self._begun_at = self._drawn_at = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.state is not self._state:
            self._state, self._begun_at = progress.state, now
            self._bar.reset(
                self._task, description=_WORDS.get(progress.state, progress.state), total=progress.instances
            )
        elif now - self._drawn_at < _REDRAW_SECONDS:
            return
        self._drawn_at = now
        self._bar.update(
            self._task, completed=progress.done, speed=_megabytes(progress.done_bytes, now - self._begun_at)
        )


def print_verdicts(stream: OutputWrapper, transfers: Sequence[Transfer]) -> None:
    """The verdict table, a row a transfer; below it each transfer's reason, with the study in full."""
    console = _console(stream)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("Study", "Instances", "Evidence", "Verdict", "Proof", "Speed"):
        table.add_column(column, justify="right" if column in {"Instances", "Speed"} else "left", no_wrap=True)
    for transfer in transfers:
        table.add_row(*_row(transfer))
    console.print(table)
    for transfer in transfers:
        console.print(f"\n{transfer.study_instance_uid}", highlight=False, style="bold")
        console.print(escape(printable(reason_for(transfer.audit))), highlight=False)
        _print_not_sent(console, transfer)
        console.print(f"transfer {transfer.public_id} ({transfer.state})", highlight=False, style="dim")


def _print_not_sent(console: Console, transfer: Transfer) -> None:
    """Which instances were not sent for a reason of their own, so that somebody can see to them."""
    rows = Evidence.objects.filter(instance__audit=transfer.audit, kind=EvidenceKind.NOT_SENT)
    uids: defaultdict[str, list[str]] = defaultdict(list)
    for uid, detail in rows.order_by("instance__position").values_list("instance__sop_instance_uid", "detail"):
        if detail.get("code") != HELD_BACK:
            uids[str(detail.get("reason", ""))].append(uid)
    for reason, of_reason in sorted(uids.items(), key=lambda item: -len(item[1])):
        console.print(f"  {len(of_reason):,} not sent: {escape(printable(reason))}", highlight=False, soft_wrap=True)
        for uid in of_reason[:_NOT_SENT_SHOWN]:
            console.print(f"    {uid}", highlight=False, soft_wrap=True)
        if len(of_reason) > _NOT_SENT_SHOWN:
            console.print(f"    … and {len(of_reason) - _NOT_SENT_SHOWN:,} more (--json lists them all)")


def _row(transfer: Transfer) -> tuple[str, ...]:
    verdict = transfer.audit.verdict
    return (
        f"…{transfer.study_instance_uid[-_UID_END:]}",
        f"{counts_of(transfer.audit)['instances']:,}",
        _evidence(transfer),
        f"[{_STYLES.get(verdict, 'default')}]{verdict}[/]",
        transfer.audit.proof or "-",
        _speed(transfer),
    )


def print_skipped(stream: OutputWrapper, skipped: Iterable[Skipped]) -> None:
    """What was left out, that which matters first."""
    console = _console(stream)
    ordered = sorted(skipped, key=lambda each: each.kind.is_harmless)
    if not ordered:
        return
    harmful = sum(not each.kind.is_harmless for each in ordered)
    console.print(f"\nLeft out: {len(ordered):,} files, {harmful:,} of them a loss", highlight=False)
    for each in ordered[:_SKIPPED_SHOWN]:
        console.print(f"  {each.kind}: {escape(each.path)}: {escape(each.reason)}", highlight=False, soft_wrap=True)
    if len(ordered) > _SKIPPED_SHOWN:
        console.print(f"  … and {len(ordered) - _SKIPPED_SHOWN:,} more (--json lists them all)", highlight=False)


def _console(stream: OutputWrapper) -> Console:
    return Console(file=cast("IO[str]", stream))


def _evidence(transfer: Transfer) -> str:
    """How many instances have evidence of each kind, a line each, in the order of a transfer."""
    rows = Evidence.objects.filter(instance__audit=transfer.audit).values_list("kind")
    counts = dict(rows.annotate(Count("instance", distinct=True)).order_by())
    return "\n".join(f"{counts[kind]:,} {kind}" for kind in EvidenceKind if kind in counts) or "none"


def _speed(transfer: Transfer) -> str:
    attempt = transfer.attempts.last()
    if attempt is None or attempt.ended_at is None:
        return "-"
    seconds = max((attempt.ended_at - attempt.started_at).total_seconds(), 0.001)
    return f"{attempt.instances / seconds:,.0f}/s\n{_megabytes(attempt.size_bytes, seconds)}"


def _megabytes(size_bytes: int, seconds: float) -> str:
    return f"{size_bytes / 1e6 / seconds:,.1f} MB/s" if seconds > 0 and size_bytes else ""
