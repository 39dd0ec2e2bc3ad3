"""Whatever is asked of an archive, and whatever it reports, what is kept of a transfer is what it really holds.

As `test_truth_in_background`, with every way of asking: storage commitment with right and wrong reports that come at
any moment, also while a process holds the transfer or dies; contents compared; all or nothing, and a roll-back asked
for; what was there before; asking again. The archive may have a DICOMweb side, by which it removes. Between the runs it
may lose something. It may list what it does not have, and commit to it. That is not held against the verdict as long
as nothing that was asked told better: a verdict is worth what the archive's word is worth.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from audit.manifest import read_input
from audit.models import Audit, Evidence
from audit.observations import MEANING, EvidenceKind
from tests.fakes.acts import Abort, Act
from tests.fakes.fixtures import MakeArchive, MakeWeb
from tests.fakes.script import Event, Script
from tests.integration.transfers.archive_world import INSTANCES, PATIENCE, World, destination_of, make_world
from tests.integration.transfers.conftest import dead
from tests.integration.transfers.test_truth_in_background import (
    Killed,
    Trouble,
    create_batch,
    vars_of,
)
from transfers import commitment_requests, commitments, leases, preflight, queue, run, services
from transfers.leases import this_process
from transfers.methods.base import ReconnectPolicy
from transfers.models import CommitmentReport, CommitmentRequest, Destination, Transfer
from transfers.rollback import CannotRollBack
from transfers.runner import run_transfer
from transfers.states import HELD, TERMINAL, State

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("whole_ledger"),
    # Who is killed closes no cursor.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

RUNS = 4
VERIFICATIONS = ["presence", "presence", "content", "content:50%", "none"]
PROOFS = ("present", "committed", "identical", "equivalent")
DENIALS = ("absent", "different", "conflict", "unreadable", "commitment-refused")
TROUBLES = ["none", "none", "stop", "cancel", "kill while sending", "kill", "kill", "kill", "lost", "error"]
OF_INSTANCES = {"stop", "cancel", "kill while sending"}


@pytest.fixture(autouse=True)
def _is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "RECONNECT", ReconnectPolicy(first_wait_seconds=0.01, maximum_wait_seconds=0.05))
    monkeypatch.setattr(preflight, "WAIT_SECONDS", 0.02)
    monkeypatch.setattr(commitment_requests, "WAIT_SECONDS", 0.02)
    monkeypatch.setattr(commitment_requests, "LINGER_SECONDS", 0.02)
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.02)


@dataclass
class Course(Trouble):
    """What happens during a run, and when reports come."""

    world: World | None = None
    reports_at: frozenset[int] = frozenset()
    """The statements at which somebody brings one."""

    def meets_statement(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        if self.world is not None and self.statements in self.reports_at:
            self.world.send_courier()
        return super().meets_statement(execute, *arguments)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_kept_of_a_transfer_is_what_proofs_say(
    archive: MakeArchive, web: MakeWeb, folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    world = make_world(dice, archive, folder)
    destination = destination_of(world, web)
    create_one(dice, folder, destination)

    for _ in range(RUNS):
        run_once(world, random_course(world))
        check(world)
        happen_between(world)
        check(world)
    world.peer.script = Script(reports=world.report_on_same_association)
    end_it(world)

    check(world)
    check_nothing_is_awaited()
    assert world.peer.log.broken_rules == []


def create_one(dice: random.Random, folder: Path, destination: Destination) -> None:
    (study,) = read_input([folder]).studies
    method = dice.choice(["c-store-commitment", "c-store-commitment", "c-store"])
    in_background = dice.random() < 0.7
    verify = dice.choice(VERIFICATIONS)
    can_roll_back = destination.ask_at.exists() and verify != "none"
    services.create_transfer(
        study,
        destination=destination,
        method=method,
        verify=verify,
        asks_commitment=dice.random() < 0.3,
        rolls_back=can_roll_back and dice.random() < 0.5,
        send_what_can=dice.random() < 0.5,
        batch=create_batch(destination, starts=True) if in_background else None,
        worker="" if in_background else dead(),
    )


# What happens in a run


def random_course(world: World) -> Course:
    dice = world.dice
    kind = dice.choice(TROUBLES)
    reports = frozenset(dice.randint(1, 120) for _ in range(dice.choice([0, 1, 3])))
    at = dice.randint(1, INSTANCES if kind in OF_INSTANCES else 160)
    return Course(kind, at, world=world, reports_at=reports)


def run_once(world: World, course: Course) -> None:
    """As a worker or the command does; where it is killed its rows stay as they are."""
    transfer = take()
    if transfer is None:
        return
    halted_as = State.QUEUED if transfer.is_in_background else State.INTERRUPTED
    with plagued(world, course), suppress(Killed, RuntimeError, OperationalError, queue.TransferIsHeld):
        run_transfer(transfer, stop=course.stop, halted_as=halted_as)
    world.wait_for_couriers()
    Transfer.objects.filter(worker=this_process()).update(worker=dead())


def take() -> Transfer | None:
    transfer = Transfer.objects.get()
    if transfer.is_in_background:
        return queue.claim_next(this_process())
    if State(transfer.state) in HELD | {State.INTERRUPTED, State.FAILED}:
        services.resume(
            transfer,
            this_process(),
            verify=transfer.verify,
            send_what_can=transfer.send_what_can,
            asks_commitment=transfer.asks_commitment,
            rolls_back=transfer.rolls_back,
            options=transfer.options,
        )
        return transfer
    return None


@contextmanager
def plagued(world: World, course: Course) -> Iterator[None]:
    peer, script, first = world.peer, world.peer.script, len(world.peer.log.requests)
    plan, plan_of_finds = script.on_store, script.on_find
    world.is_mute, world.mutes_after = False, world.dice.choice(["", "", "", "store", "removal", "removal"])

    def on_store(event: Event) -> Act | None:
        course.meets_instance(event.number - first)
        world.is_mute = world.is_mute or world.mutes_after == "store"
        return plan(event) if callable(plan) else None

    def on_find(event: Event) -> Act | None:
        return Abort() if world.is_mute else plan_of_finds(event) if callable(plan_of_finds) else None

    peer.script = Script(**{**vars_of(script), "on_store": on_store, "on_find": on_find})
    with connection.execute_wrapper(course.meets_statement):
        yield
    peer.script = script


def happen_between(world: World) -> None:
    """Whatever the archive, a person or the clock may do between two runs."""
    dice = world.dice
    for _ in range(dice.choice([0, 1, 2])):
        world.send_courier()
        world.wait_for_couriers()
    if dice.random() < 0.15:
        lose_one(world)
    if dice.random() < 0.4:
        queue.release_abandoned()
    if dice.random() < 0.5:
        over = timedelta(seconds=PATIENCE + 1 if dice.random() < 0.3 else 0)
        commitments.weigh_what_is_left(timezone.now() + over)
    intend(world)


def lose_one(world: World) -> None:
    held = sorted(world.peer.stored)
    if held:
        uid = world.dice.choice(held)
        del world.peer.stored[uid]
        world.lost_at[uid] = timezone.now()
        world.before.pop(uid, None)


def intend(world: World) -> None:
    dice, transfer = world.dice, Transfer.objects.get()
    intents: list[Callable[[Transfer], object]] = [
        services.retry,
        lambda transfer: services.reverify(transfer, dice.choice(VERIFICATIONS), asks_commitment=dice.random() < 0.5),
        services.cancel,
        do_nothing,
        do_nothing,
    ]
    if transfer.destination.ask_at.exists():
        intents.append(services.roll_back)
    with suppress(queue.TransferIsHeld, services.NothingToRetry, services.NothingToCancel, CannotRollBack):
        with_reports = dice.random() < 0.3
        if with_reports:  # at the same time
            world.send_courier()
        dice.choice(intents)(transfer)
    world.wait_for_couriers()


def do_nothing(_: Transfer) -> None:
    """Leave it as it is."""


def end_it(world: World) -> None:
    """With nothing in the way any more it ends, or waits for somebody."""
    for _ in range(4):
        run_once(world, Course())
    queue.release_abandoned()
    commitments.weigh_what_is_left(timezone.now() + timedelta(seconds=PATIENCE + 1))


def check_nothing_is_awaited() -> None:
    transfer = Transfer.objects.get()
    assert State(transfer.state) in TERMINAL
    assert not CommitmentRequest.objects.filter(closed_at=None).exists()
    assert not CommitmentReport.objects.filter(weighed_at=None, orphaned_because="").exists()


# What holds at any time


def check(world: World) -> None:
    transfer = Transfer.objects.get()
    assert transfer.audit.is_sealed == (transfer.state in {State.FINISHED, State.CANCELLED})
    assert transfer.verdict == transfer.audit.verdict
    if transfer.audit.is_sealed:
        assert false_verdicts(world, transfer.audit) == {}
    check_what_was_there_before(world)
    check_reports(world)
    check_sealed(world)


def check_what_was_there_before(world: World) -> None:
    """It is there still, or what overwrote it."""
    assert set(world.before) <= set(world.peer.stored)


def check_reports(world: World) -> None:
    """All that were answered are kept, each is weighed once, and as what it says of what was asked."""
    kept = Counter(CommitmentReport.objects.values_list("transaction_uid", flat=True))
    taken = Counter(transaction_uid for transaction_uid, _, _ in world.taken)
    assert not taken - kept
    weighed = CommitmentReport.objects.filter(weighed_at__isnull=False)
    transfer = Transfer.objects.get()
    assert transfer.events.filter(name="commitment_report").count() == weighed.count()
    expected: Counter[str] = Counter()
    for report in weighed.select_related("request"):
        assert report.request is not None
        classes = dict(transfer.audit.instances.values_list("sop_instance_uid", "sop_class_uid"))
        expected.update(seen.kind for seen in commitments._observations(report, report.request, classes))
    kinds = ("committed", "commitment-refused", "not-mentioned")
    found = Counter(Evidence.objects.filter(kind__in=kinds).values_list("kind", flat=True))
    assert found == Counter({kind: expected[kind] for kind in kinds if expected[kind]})


def check_sealed(world: World) -> None:
    for audit in Audit.objects.filter(sealed_at__isnull=False):
        said = (audit.verdict, audit.reason, *audit.instances.order_by("position").values_list("verdict", "ground"))
        assert world.sealed.setdefault(audit.pk, said) == said


def false_verdicts(world: World, audit: Audit) -> dict[str, Any]:
    """The instances of which the newest audit says what is not so, though not everybody lied."""
    chain = audit.chain()
    rows = Evidence.objects.filter(instance__audit__in=chain)
    false = {}
    for instance in audit.instances.all():
        uid = instance.sop_instance_uid
        told = list(rows.filter(instance__sop_instance_uid=uid).order_by("id").values_list("kind", "round", "at"))
        if instance.verdict == "confirmed" and not world.holds(uid):
            is_false = not is_excused(world, uid, instance.was_there_before, told)
        else:
            is_false = (
                instance.verdict == "refuted" and world.holds(uid) and not is_refuted_well(world, uid, instance.ground)
            )
        if is_false:
            words = " ".join(f"{kind} {of_round}" for kind, of_round, _ in told)
            false[uid] = (instance.verdict, instance.ground, instance.was_there_before, words, uid in world.ghosts)
    return false


def is_refuted_well(world: World, uid: str, ground: str) -> bool:
    """Whether a report denied it wrongly, nobody asked what was there before, or what lay in its way is lost since."""
    is_not_ours = ground == "not-sent" and uid in world.before
    return is_not_ours or uid in world.denied_wrongly or (ground in {"conflict", "different"} and uid in world.lost_at)


def is_excused(world: World, uid: str, was_there: str, told: Sequence[tuple[str, int, datetime]]) -> bool:
    """Whether it was there when it was asked about last; whoever answered lied, and nobody told better; or an archive
    that held something else took it without a word, and could not be asked, or was not, before it was sent to.
    """
    if was_there == "unknown" and uid in world.before:
        return True
    proved_at = max((at for kind, _, at in told if kind in PROOFS), default=None)
    if uid in world.lost_at and proved_at is not None and proved_at < world.lost_at[uid]:
        return True
    if uid not in world.ghosts | world.lied_of:
        return False
    begun = max((of_round for kind, of_round, _ in told if kind in {"sent", "acknowledged", "no-answer"}), default=0)
    return not any(
        kind in DENIALS and of_round >= begun and not is_taken_back(kind, of_round, told) for kind, of_round, _ in told
    )


def is_taken_back(denial: str, of_round: int, told: Sequence[tuple[str, int, datetime]]) -> bool:
    """Whether a later answer to the same question, a lie, affirmed it."""
    (family,) = MEANING[EvidenceKind(denial)][0]
    return any(
        later > of_round and kind in PROOFS and family in MEANING[EvidenceKind(kind)][0] for kind, later, _ in told
    )
