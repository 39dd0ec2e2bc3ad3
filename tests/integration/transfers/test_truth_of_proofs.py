"""Whatever is asked of an archive, and whatever it reports, what is kept of a transfer is what it really holds.

As `test_truth_in_background`, with every way of asking: storage commitment with right and wrong reports that come at
any moment, also while a process holds the transfer or dies; contents compared; all or nothing, and a roll-back asked
for; what was there before; asking again. The archive may have a DICOMweb side, by which it removes. Between the runs it
may lose something. It may list what it does not have, and commit to it. That is not held against the verdict as long
as nothing that was asked told better: a verdict is worth what the archive's word is worth.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, OperationalError, connection, connections
from django.utils import timezone

from audit.manifest import read_input
from audit.models import Audit, Evidence
from audit.observations import MEANING, EvidenceKind
from tests.commands import destination_for, uids_of
from tests.datasets import data_set_bytes, unique_uid, write_study
from tests.fakes.acts import Abort, Act, Answer, Close
from tests.fakes.archive import Archive
from tests.fakes.commitment import CommitmentRequest as Asked
from tests.fakes.commitment import Report
from tests.fakes.fixtures import MakeArchive, MakeWeb
from tests.fakes.getting import STUDY_ROOT_GET
from tests.fakes.holdings import holding_of
from tests.fakes.script import Event, Script
from tests.fakes.web import Asked as WebAsked
from tests.fakes.web import Reply
from tests.fakes.web_side import NOT_FOUND, web_side
from tests.integration.transfers.conftest import dead
from tests.integration.transfers.test_truth import chance, random_script
from tests.integration.transfers.test_truth_in_background import (
    Killed,
    Trouble,
    create_batch,
    vars_of,
)
from transfers import commitment_requests, commitments, leases, listener, preflight, queue, run, services
from transfers.leases import this_process
from transfers.methods.base import ReconnectPolicy
from transfers.models import CommitmentReport, CommitmentRequest, Destination, Transfer
from transfers.rollback import CannotRollBack
from transfers.runner import run_transfer
from transfers.states import HELD, TERMINAL, State
from transfers.wire import commitment
from transfers.wire.report_server import ReceivedReport

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("whole_ledger"),
    # Who is killed closes no cursor.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

INSTANCES = 6
RUNS = 4
IMPATIENT = {"dimse_timeout_seconds": 0.2, "probe_retry_seconds": 0.1, "presence_settle_seconds": 0.15}
PATIENCE = 600
"""Seconds that a report may take; the tests say when they are over."""
VERIFICATIONS = ["presence", "presence", "content", "content:50%", "none"]
PROOFS = ("present", "committed", "identical", "equivalent")
DENIALS = ("absent", "different", "conflict", "unreadable", "commitment-refused")
TROUBLES = ["none", "none", "stop", "cancel", "kill while sending", "kill", "kill", "kill", "lost", "error"]
OF_INSTANCES = {"stop", "cancel", "kill while sending"}
GET_FAULTS: list[Act] = [Answer(0xA702), Abort(), Close(), Answer(0xC001)]
ACTION_FAULTS: list[Act] = [Abort(stores=True), Abort(), Answer(0x0122), Answer(0x0213), Answer(0x0112)]


@pytest.fixture(autouse=True)
def _is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "RECONNECT", ReconnectPolicy(first_wait_seconds=0.01, maximum_wait_seconds=0.05))
    monkeypatch.setattr(preflight, "WAIT_SECONDS", 0.02)
    monkeypatch.setattr(commitment_requests, "WAIT_SECONDS", 0.02)
    monkeypatch.setattr(commitment_requests, "LINGER_SECONDS", 0.02)
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.02)


@dataclass
class World:
    """An archive, what was sent to it, and what became of that."""

    dice: random.Random
    peer: Archive
    sent: dict[str, bytes]
    before: dict[str, bytes] = field(default_factory=dict)
    """What it held before, of the same UIDs."""
    ghosts: set[str] = field(default_factory=set)
    """What it never keeps, and lists all the same."""
    lost_at: dict[str, datetime] = field(default_factory=dict)
    lied_of: set[str] = field(default_factory=set)
    """What a report wrongly committed to."""
    denied_wrongly: set[str] = field(default_factory=set)
    taken: list[tuple[str, Sequence[Any], Sequence[Any]]] = field(default_factory=list)
    """Reports that were answered with success: Transaction UID, and the two lists."""
    sealed: dict[int, Any] = field(default_factory=dict)
    """Of each sealed audit, what it said when it was seen first."""
    mutes_after: str = ""
    """What it answers no question after, for the rest of the run: a store, or a removal."""
    is_mute: bool = False
    couriers: list[threading.Thread] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def holds(self, uid: str) -> bool:
        return uid in self.peer.stored and self.peer.stored[uid].data_set == self.sent[uid]

    # Reports

    def report_on_same_association(self, request: Asked, _: Report) -> list[Report]:
        """In a thread of the archive's."""
        if self.dice.random() < 0.7:
            return []
        return [self._wire(each) for each in self._reports(request)]

    def _wire(self, report: commitment.CommitmentReport) -> Report:
        return Report(
            report.transaction_uid,
            tuple((each.sop_class_uid, each.sop_instance_uid) for each in report.committed),
            tuple((each.sop_class_uid, each.sop_instance_uid, each.failure_reason) for each in report.failed),
        )

    def bring_reports(self) -> None:
        """To the listener, about something that was asked; in any thread but the run's."""
        try:
            if not self.peer.log.commitments:
                return
            request = self.dice.choice(self.peer.log.commitments)
            calling = self.dice.choice(["SCRIPTED"] * 6 + ["SOMEBODY"])
            for report in self._reports(request):
                times = self.dice.choice([1, 1, 1, 2])
                bringing = [threading.Thread(target=self._bring, args=[report, calling]) for _ in range(times)]
                for thread in bringing:
                    thread.start()
                for thread in bringing:
                    thread.join()
        finally:
            connections.close_all()

    def _bring(self, report: commitment.CommitmentReport, calling_ae_title: str) -> None:
        with suppress(Error):  # it is answered with a failure
            listener.keep(ReceivedReport(report, calling_ae_title, "TALLYMAN", "127.0.0.1"))
            with self.lock:
                self.taken.append((report.transaction_uid, report.committed, report.failed))

    def _reports(self, request: Asked) -> list[commitment.CommitmentReport]:
        kinds = ["honest"] * 6 + [
            "lying",
            "dropping",
            "omitting",
            "empty",
            "contradicting",
            "foreign",
            "unknown",
            "class",
        ]
        kind = self.dice.choice(kinds)
        held = [each for each in request.references if self.holds_as(each)]
        failed = [(*each, 0x0112) for each in request.references if each not in held]
        made = [(request.transaction_uid, held, failed)]
        some = set(self.dice.sample(range(len(held)), self.dice.randint(0, len(held))))
        if kind == "lying":
            made = [(request.transaction_uid, list(request.references), [])]
        elif kind in {"dropping", "contradicting"}:
            dropped = [(*each, self.dice.choice([0x0112, 0x0110])) for n, each in enumerate(held) if n in some]
            kept = [each for n, each in enumerate(held) if n not in some]
            lie = (request.transaction_uid, kept, failed + dropped)
            made = [lie] if kind == "dropping" else self.dice.sample([lie, *made], 2)
        elif kind == "omitting":
            made = [(request.transaction_uid, [each for n, each in enumerate(held) if n in some], failed)]
        elif kind == "empty":
            made = [(request.transaction_uid, [], [])]
        elif kind == "foreign":
            made = [(request.transaction_uid, [*held, (request.references[0][0], "2.25.4711")], failed)]
        elif kind == "unknown":
            made = [(unique_uid(), held, failed)]
        elif kind == "class":
            made = [(request.transaction_uid, [("1.2.840.10008.5.1.4.1.1.7", uid) for _, uid in held], failed)]
        return [self._noted(*each) for each in made]

    def holds_as(self, reference: tuple[str, str]) -> bool:
        """An archive knows UIDs, and not which content they should have."""
        return reference[1] in self.peer.stored and self.peer.stored[reference[1]].sop_class_uid == reference[0]

    def _noted(
        self, transaction_uid: str, committed: Sequence[Any], failed: Sequence[Any]
    ) -> commitment.CommitmentReport:
        with self.lock:
            self.lied_of |= {uid for _, uid in committed if not self.holds_as((_, uid))}
            self.denied_wrongly |= {uid for _, uid, _ in failed if uid in self.peer.stored}
        return commitment.CommitmentReport(
            transaction_uid,
            2 if failed else 1,
            tuple(commitment.Reference(*each) for each in committed),
            tuple(commitment.FailedReference(*each) for each in failed),
        )

    def send_courier(self) -> None:
        """Reports come while the run goes on."""
        thread = threading.Thread(target=self.bring_reports)
        self.couriers.append(thread)
        thread.start()

    def wait_for_couriers(self) -> None:
        for thread in self.couriers:
            thread.join()
        self.couriers.clear()


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


@pytest.mark.parametrize(
    "seed", range(int(__import__("os").environ.get("A", "0")), int(__import__("os").environ.get("B", "40")))
)
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


def make_world(dice: random.Random, archive: MakeArchive, folder: Path) -> World:
    paths = write_study(folder, INSTANCES, size_bytes=512)
    uids = uids_of(paths)
    world = World(dice, archive(), dict(zip(uids, map(data_set_bytes, paths), strict=True)))
    world.peer.script = random_world_script(world)
    if dice.random() < 0.4:
        hold_before(world, paths, folder.parent)
    if dice.random() < 0.3:
        make_ghosts(world, paths)
    return world


def random_world_script(world: World) -> Script:
    dice = world.dice
    script = random_script(dice)
    without = dice.choice([(), (), (STUDY_ROOT_GET,)])
    plan, share = script.on_store, dice.choice([0.0, 0.0, 1.0])

    def on_store(event: Event) -> Act | None:
        if event.about in world.ghosts:
            return Answer(stores=False)
        return plan(event) if callable(plan) and dice.random() < share else None

    changed = {
        "on_store": on_store,
        "without_sop_classes": (*script.without_sop_classes, *without),
        "on_get": chance(dice, dice.choice([0.0, 0.0, 0.4]), GET_FAULTS),
        "on_commitment": chance(dice, dice.choice([0.0, 0.0, 0.5]), ACTION_FAULTS),
        "reports": world.report_on_same_association,
        "rows": None if dice.random() < 0.7 else script.rows,
        "overwrites": dice.random() < 0.3,
    }
    return Script(**{**vars_of(script), **changed})


def hold_before(world: World, paths: Sequence[Path], elsewhere: Path) -> None:
    """Some of it, or something else under the same UIDs."""
    for path, uid in world.dice.sample(list(zip(paths, world.sent, strict=True)), world.dice.randint(1, 3)):
        world.peer.hold(path if world.dice.random() < 0.5 else other_content(path, uid, elsewhere))
        world.before[uid] = world.peer.stored[uid].data_set


def other_content(path: Path, uid: str, folder: Path) -> Path:
    """As an older version of the same image."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    older = folder / f"{uid}.dcm"
    older.write_bytes(content)
    return older


def make_ghosts(world: World, paths: Sequence[Path]) -> None:
    identities = {uid: holding_of(path).identity for uid, path in zip(world.sent, paths, strict=True)}
    world.ghosts = set(world.dice.sample(list(world.sent), world.dice.randint(1, 2))) - set(world.before)
    listed = world.peer.listed

    def with_ghosts() -> list[dict[str, str]]:
        begun = set(world.peer.log.requests)
        return [*listed(), *(identities[uid] for uid in sorted(world.ghosts & begun))]

    world.peer.listed = with_ghosts  # type: ignore[method-assign]


def destination_of(world: World, web: MakeWeb) -> Destination:
    destination = destination_for(world.peer, **IMPATIENT, offers_commitment=True, commitment_timeout_seconds=PATIENCE)
    if world.dice.random() < 0.6:
        faults = world.dice.choice([0.0, 0.0, 0.3])
        side = web(web_side(world.peer, lambda asked: web_fault(world, faults, asked)))
        quick = {"probe_retry_seconds": 0.1, "presence_settle_seconds": 0.15}
        destination.ask_at.set([Destination.objects.create(name="web", kind="dicomweb", url=side.url, **quick)])
    return destination


def web_fault(world: World, share: float, asked: WebAsked) -> Reply | None:
    if asked.method == "DELETE" and world.mutes_after == "removal":
        world.is_mute = True
    if world.is_mute and asked.method == "GET":
        return Reply(503, b"")
    if world.dice.random() >= share:
        return None
    if asked.method == "DELETE":
        return world.dice.choice([Reply(503, b""), Reply(200, b""), NOT_FOUND, Reply(is_dropped=True)])
    return world.dice.choice([Reply(503, b""), Reply(500, b""), Reply(is_dropped=True)])


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
