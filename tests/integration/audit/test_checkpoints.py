"""Daily checkpoints: what the chains of all audits were, so that none is rewritten whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from django.db import Error, connection, connections, transaction
from django.utils import timezone

from audit.breaks import Break, BreakKind
from audit.canonical import LinesDigest
from audit.chain import head_of
from audit.checkpoints import write_checkpoints
from audit.ledger import Ledger
from audit.ledger_walk import LedgerWalk
from audit.links import LinkFacts
from audit.models import Audit, Checkpoint, CheckpointHead
from audit.row_lines import instance_lines
from tests.guards import drop_guards
from tests.ledgers import ask, asked_again, open_one, sealed_one

pytestmark = pytest.mark.django_db


def breaks() -> list[Break]:
    return list(LedgerWalk().breaks())


def in_days(days: int) -> datetime:
    """Shortly after the midnight that ends the day which is so many days from now."""
    midnight = datetime.combine(timezone.now().astimezone(UTC).date(), datetime.min.time(), UTC)
    return midnight + timedelta(days=days + 1, minutes=1)


def written(days: int = 0) -> Checkpoint:
    checkpoint = write_checkpoints(in_days(days))
    assert checkpoint is not None
    return checkpoint


def covered_by(checkpoint: Checkpoint) -> dict[str, str]:
    rows = checkpoint.covered.values_list("audit__study_instance_uid", "sha256")
    return dict(rows)


def execute(statement: str, *parameters: Any) -> None:
    drop_guards()
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount > 0, statement


def rewrite_chain(audit: Audit) -> None:
    """As somebody does who knows how the chain is made: every digest fits again."""
    drop_guards()
    previous = ""
    audit.instances.update(path="/elsewhere")
    for link in audit.links.order_by("position"):
        if link.position == 0:
            link.content_sha256 = LinesDigest(line.manifest for line in instance_lines(audit.pk)).hexdigest()
        facts = LinkFacts(audit.public_id, link.position, link.kind, link.at, link.detail, link.content_sha256)
        link.sha256 = previous = facts.digest(previous)
        link.save()


def test_without_any_audit_there_is_no_checkpoint() -> None:
    assert write_checkpoints(in_days(0)) is None


def test_a_checkpoint_covers_the_head_of_every_audit_sealed_or_not() -> None:
    sealed, still_open = sealed_one(), open_one(uid="2.25.2")

    checkpoint = written()

    assert covered_by(checkpoint) == {
        "2.25.1": head_of(sealed.pk).sha256,
        "2.25.2": head_of(still_open.pk).sha256,
    }
    assert checkpoint.day == timezone.now().astimezone(UTC).date()
    assert breaks() == []


def test_the_day_that_is_not_over_has_none() -> None:
    sealed_one()

    assert write_checkpoints(timezone.now()) is None


def test_it_is_written_once_a_day_however_often_it_is_asked_for() -> None:
    sealed_one()

    assert [write_checkpoints(in_days(0)) is None for _ in range(3)] == [False, True, True]


def test_the_next_covers_what_was_written_to_since_and_no_other() -> None:
    sealed_one()
    still_open = open_one(uid="2.25.2")
    written()
    ask(Ledger(still_open), 3, "2.25.2")

    assert covered_by(written(1)) == {"2.25.2": head_of(still_open.pk).sha256}
    assert breaks() == []


def test_a_day_without_anything_has_one_too_and_days_without_a_process_share_one() -> None:
    sealed_one()

    days = [written(days).day for days in (0, 1, 5)]

    assert [day - days[0] for day in days] == [timedelta(0), timedelta(days=1), timedelta(days=5)]
    assert list(Checkpoint.objects.order_by("day").values_list("heads", flat=True)) == [1, 0, 0]
    assert breaks() == []


def test_what_was_written_after_midnight_is_covered_by_the_next_but_one() -> None:
    """The checkpoint is written a little after midnight, and what is written then is of the new day."""
    audit = sealed_one()
    execute("UPDATE audit_link SET at = %s", in_days(0) + timedelta(seconds=1))

    assert write_checkpoints(in_days(0)) is None
    sealed_one(uid="2.25.2")
    assert covered_by(written()).keys() == {"2.25.2"}
    assert covered_by(written(1)) == {"2.25.1": head_of(audit.pk).sha256}
    assert covered_by(written(2)) == {}


def test_a_clock_that_goes_back_brings_no_second_one() -> None:
    sealed_one()
    written(3)

    assert write_checkpoints(in_days(2)) is None


# Tampering


def test_a_chain_that_was_rewritten_whole_is_named_with_the_day_that_knew_it() -> None:
    audit = sealed_one()
    checkpoint = written()

    rewrite_chain(audit)

    (found,) = breaks()
    assert (found.kind, found.audit, found.link) == (BreakKind.LINK_CHANGED, audit.public_id, 5)
    assert found.checkpoint == checkpoint.day


def test_a_chain_that_was_cut_short_is_named() -> None:
    audit = open_one()
    written()

    execute("DELETE FROM audit_evidence WHERE kind = 'acknowledged'")
    execute("DELETE FROM audit_link WHERE position = 3")

    (found,) = breaks()
    assert (found.kind, found.audit, found.link) == (BreakKind.LINK_MISSING, audit.public_id, 3)


def test_a_head_that_was_changed_is_named() -> None:
    sealed_one()
    checkpoint = written()

    execute("UPDATE audit_checkpointhead SET sha256 = %s", "ab" * 32)

    (found,) = breaks()
    assert (found.kind, found.checkpoint) == (BreakKind.CHECKPOINT_CHANGED, checkpoint.day)


def test_heads_that_were_taken_away_are_named() -> None:
    sealed_one()
    checkpoint = written()

    execute("DELETE FROM audit_checkpointhead")

    (found,) = breaks()
    assert (found.kind, found.checkpoint) == (BreakKind.CHECKPOINT_CHANGED, checkpoint.day)


UPDATE_CHECKPOINT = "UPDATE audit_checkpoint SET {} WHERE day = %s"


@pytest.mark.parametrize("column", ["heads = 0", "newest_link = 9", "at = '2020-01-01 00:00:00'", "sha256 = ''"])
def test_a_checkpoint_that_was_changed_is_named(column: str) -> None:
    sealed_one()
    days = [written(days).day for days in (0, 1)]

    execute(UPDATE_CHECKPOINT.format(column), days[0])

    assert (breaks()[0].kind, breaks()[0].checkpoint) == (BreakKind.CHECKPOINT_CHANGED, days[0])


def test_a_checkpoint_that_was_taken_away_is_missed_by_the_next() -> None:
    sealed_one()
    days = [written(days).day for days in (0, 1, 2)]

    execute("DELETE FROM audit_checkpoint WHERE day = %s", days[1])

    assert [(each.kind, each.checkpoint) for each in breaks()] == [(BreakKind.CHECKPOINT_CHANGED, days[2])]


@pytest.mark.parametrize("table", ["audit_link", "audit_checkpoint", "audit_checkpointhead"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET sha256 = ''", "DELETE FROM {}"])
def test_the_database_refuses_changes_of_chain_and_checkpoints(table: str, statement: str) -> None:
    sealed_one()
    written()

    with pytest.raises(Error, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table))

    assert breaks() == []


# Side by side


@pytest.mark.django_db(transaction=True)
def test_processes_that_write_it_at_once_write_it_once() -> None:
    sealed_one()
    asked_again(sealed_one(uid="2.25.2"), uid="2.25.2")
    start, made = Barrier(4), []

    def write() -> None:
        try:
            start.wait()
            made.append(write_checkpoints(in_days(0)))
        finally:
            connections.close_all()

    threads = [Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(checkpoint is not None for checkpoint in made) == 1
    assert len(made) == 4
    assert (Checkpoint.objects.count(), CheckpointHead.objects.count()) == (1, 3)
    assert breaks() == []


@pytest.mark.django_db(transaction=True)
def test_an_audit_that_is_written_to_meanwhile_is_not_called_broken() -> None:
    audit = open_one()
    stop = Event()

    def write() -> None:
        try:
            ledger = Ledger(Audit.objects.get(pk=audit.pk))
            while not stop.is_set():
                ask(ledger, 3)
        finally:
            connections.close_all()

    writer = Thread(target=write)
    writer.start()
    try:
        found, walks = breaks(), 1
        while not found and (walks < 30 or audit.links.count() <= 10):
            found, walks = breaks(), walks + 1
    finally:
        stop.set()
        writer.join()

    assert found == []
