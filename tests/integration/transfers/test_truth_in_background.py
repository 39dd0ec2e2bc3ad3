"""Whatever becomes of a transfer in the background, what is kept of it is what the archive really holds.

A transfer goes through several runs of a worker or command, against an archive with random faults, and with random
events during and between the runs: stopped, cancelled, killed at any statement, without the database, started, sent
again, only asked about.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.utils import timezone

from audit.manifest import read_input
from audit.models import Audit, Evidence
from tests.commands import destination_for, uids_of
from tests.datasets import data_set_bytes, write_instance, write_study
from tests.fakes.acts import Act, Answer
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Event, Script
from tests.integration.transfers.conftest import dead
from tests.integration.transfers.test_truth import random_script
from transfers import leases, preflight, queue, run, services, submissions
from transfers.batch_queue import settle_batches
from transfers.leases import this_process
from transfers.methods.base import ReconnectPolicy
from transfers.models import Batch, Destination, Transfer
from transfers.runner import run_transfer
from transfers.states import HELD, TERMINAL, TRANSITIONS, State

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("whole_ledger")]

INSTANCES = 8
RUNS = 3
DURING_SENDING = ["stop", "cancel", "cancel, stop", "kill while sending", "kill while sending"]
AT_A_STATEMENT = ["none", "kill", "lost", "error"]
IMPATIENT = {"dimse_timeout_seconds": 0.2, "probe_retry_seconds": 0.1, "presence_settle_seconds": 0.15}
SEALED = {State.FINISHED, State.CANCELLED}


class Killed(BaseException):
    """The process ends here: nothing after it is written down."""


class ConnectionLost(Exception):
    """What the driver raises where the server ends the connection."""

    sqlstate = "57P01"


@dataclass
class Trouble:
    """What happens during a run: once so many instances, or so many statements, came by."""

    kind: str = "none"
    at: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    statements: int = 0

    def meets_instance(self, number: int) -> None:
        """In a thread of the archive's."""
        if number == self.at and self.kind in {"stop", "cancel, stop"}:
            self.stop.set()
        if number == self.at and self.kind == "kill while sending":
            self.kind, self.at = "kill", 0
        if number == self.at and self.kind in {"cancel", "cancel, stop"}:
            with suppress(queue.TransferIsHeld, services.NothingToCancel):
                services.cancel(Transfer.objects.get())
            connection.close()

    def meets_statement(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        """In the thread of the run."""
        self.statements += 1
        if self.kind == "kill" and self.statements >= self.at:
            raise Killed
        if self.kind == "lost" and self.at <= self.statements < self.at + 2:
            raise OperationalError from ConnectionLost()
        if self.kind == "error" and self.statements == self.at:
            raise RuntimeError("an error of ours")
        return execute(*arguments)


@pytest.fixture(autouse=True)
def _is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "RECONNECT", ReconnectPolicy(first_wait_seconds=0.01, maximum_wait_seconds=0.05))
    monkeypatch.setattr(preflight, "WAIT_SECONDS", 0.02)
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.02)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_kept_of_a_transfer_is_what_became_of_it(archive: MakeArchive, folder: Path, seed: int) -> None:
    dice = random.Random(seed)
    paths = write_study(folder, INSTANCES, size_bytes=512)
    sent = dict(zip(uids_of(paths), map(data_set_bytes, paths), strict=True))
    peer = archive(random_script(dice))
    if dice.random() < 0.2:
        peer.hold(other_content_for(next(iter(sent)), folder.parent))
    create_one(dice, folder, destination_for(peer, **IMPATIENT))

    for _ in range(RUNS):
        intervene(dice)
        run_once(peer, random_trouble(dice))
        check(peer, sent)
    peer.script = Script()
    end_it(peer)

    check(peer, sent)
    assert peer.log.broken_rules == []


def other_content_for(uid: str, folder: Path) -> Path:
    return write_instance(folder, sop_instance_uid=uid, noise=99, size_bytes=512)


def create_one(dice: random.Random, folder: Path, destination: Destination) -> None:
    """In a batch, as a draft or not; or by the command line, which was killed before it began."""
    (study,) = read_input([folder]).studies
    verify = dice.choice(["presence", "none"])
    maker = dice.choice(["batch", "batch", "draft", "command"])
    services.create_transfer(
        study,
        destination=destination,
        method="c-store",
        verify=verify,
        batch=None if maker == "command" else create_batch(destination, starts=maker == "batch"),
        worker=dead() if maker == "command" else "",
    )


def create_batch(destination: Destination, *, starts: bool) -> Batch:
    return Batch.objects.create(
        created_by=User.objects.create_user("operator"),
        destination=destination,
        method="c-store",
        verify="presence",
        starts=starts,
        state="started" if starts else "asking",
        created_at=timezone.now(),
    )


def random_trouble(dice: random.Random) -> Trouble:
    kind = dice.choice(DURING_SENDING if dice.random() < 0.6 else AT_A_STATEMENT)
    return Trouble(kind, dice.randint(1, INSTANCES if kind in DURING_SENDING else 90))


def intervene(dice: random.Random) -> None:
    """What a person may do between two runs; nothing, where a worker would go on by itself."""
    settle_batches()
    if dice.random() < 0.5:
        queue.release_abandoned()
    transfer = Transfer.objects.get()
    state = State(transfer.state)
    if state not in TERMINAL and dice.random() < 0.3:
        services.cancel(transfer)
    elif state is State.DRAFT:
        submissions.start(Batch.objects.get())
    elif state in TERMINAL:
        with suppress(services.NothingToRetry):
            again(dice.choice([services.retry, lambda transfer: services.reverify(transfer, "presence")]), transfer)


def again(intent: Callable[[Transfer], None], transfer: Transfer) -> None:
    """Of what it may do besides, taking it up again changes no evidence."""
    before = Evidence.objects.count()

    intent(transfer)

    assert Evidence.objects.count() == before


def run_once(peer: Archive, trouble: Trouble) -> None:
    """As a worker or the command does; where it is killed its rows stay as they are."""
    transfer = take()
    if transfer is None:
        return
    answered = uids_answered(transfer.audit)
    requests, evidence = len(peer.log.requests), Evidence.objects.count()
    halted_as = State.QUEUED if transfer.is_in_background else State.INTERRUPTED
    with plagued(peer, trouble), suppress(Killed, RuntimeError, OperationalError):
        run_transfer(transfer, stop=trouble.stop, halted_as=halted_as)
    Transfer.objects.filter(worker=this_process()).update(worker=dead())
    assert not answered & set(peer.log.requests[requests:]), "what had its answer was sent again"
    assert Evidence.objects.count() >= evidence


def take() -> Transfer | None:
    """What waits, or was left; None where it has ended, or waits for a person."""
    transfer = Transfer.objects.get()
    if transfer.is_in_background:
        taken = queue.claim_next(this_process())
        assert (taken is not None) == (transfer.state == State.QUEUED or transfer.state in HELD)
        return taken
    if State(transfer.state) in HELD | {State.INTERRUPTED, State.FAILED}:
        services.resume(transfer, this_process(), verify=transfer.verify)
        return transfer
    return None


@contextmanager
def plagued(peer: Archive, trouble: Trouble) -> Iterator[None]:
    script, first = peer.script, len(peer.log.requests)
    plan = script.on_store

    def on_store(event: Event) -> Act | None:
        trouble.meets_instance(event.number - first)
        act = plan(event) if callable(plan) else plan
        return act if act is None or isinstance(act, Act) else Answer()

    peer.script = Script(**{**vars_of(script), "on_store": on_store})
    with connection.execute_wrapper(trouble.meets_statement):
        yield
    peer.script = script


def vars_of(script: Script) -> dict[str, Any]:
    return {name: getattr(script, name) for name in script.__dataclass_fields__}


def end_it(peer: Archive) -> None:
    """With nothing in the way any more it ends, or waits for somebody."""
    for _ in range(3):
        run_once(peer, Trouble())
    transfer = Transfer.objects.get()
    assert State(transfer.state) in TERMINAL | {State.DRAFT}


def uids_answered(audit: Audit) -> set[str]:
    rows = Evidence.objects.filter(instance__audit=audit, kind__in=["acknowledged", "refused"])
    return set(rows.values_list("instance__sop_instance_uid", flat=True))


# What holds after every run


def check(peer: Archive, sent: dict[str, bytes]) -> None:
    transfer = Transfer.objects.get()
    assert transfer.verdict == transfer.audit.verdict
    assert transfer.audit.is_sealed == (transfer.state in SEALED)
    assert not transfer.audit.is_sealed or (transfer.worker, transfer.lease_until) == ("", None)
    check_states(transfer)
    for audit in transfer.audit.chain():
        assert set(audit.instances.values_list("sop_instance_uid", flat=True)) == set(sent)
        if audit.is_sealed:
            check_tally(audit)
    if transfer.audit.is_sealed:
        assert false_verdicts(transfer.audit, peer, sent) == {}
    if transfer.verdict == "committed":
        assert {uid: holding.data_set for uid, holding in peer.stored.items()} == sent


def check_states(transfer: Transfer) -> None:
    """Each follows the one before, as the table says; a dead process is taken over from wherever it was."""
    state = State.CLAIMED if transfer.batch is None else State.QUEUED  # the command line's is born claimed
    for detail in transfer.events.filter(name="state_changed").values_list("detail", flat=True):
        before, after = State(detail["before"]), State(detail["after"])
        assert before is state
        assert after in TRANSITIONS[before] or (before in HELD and after is State.CLAIMED)
        state = after
    assert transfer.state == state


def check_tally(audit: Audit) -> None:
    """Counted anew, instance by instance."""
    verdicts = Counter(audit.instances.values_list("verdict", flat=True))
    kinds: dict[str, set[str]] = {}
    present: dict[str, bool] = {}
    rows = Evidence.objects.filter(instance__audit__in=audit.chain()).order_by("round")
    for uid, kind in rows.values_list("instance__sop_instance_uid", "kind"):
        kinds.setdefault(uid, set()).add(kind)
        if kind in {"present", "absent"}:
            present[uid] = kind == "present"
    begun = {"sent", "no-answer", "acknowledged", "refused", "answer-unclear"}
    assert verdicts["pending"] == 0
    assert audit.tally == {
        "instances": INSTANCES,
        **{verdict: verdicts[verdict] for verdict in ("confirmed", "refuted", "unproven", "pending")},
        "sent": sum(bool(each & begun) for each in kinds.values()),
        "acknowledged": sum("acknowledged" in each for each in kinds.values()),
        "present": sum(present.values()),
        "committed": 0,
        "compared": 0,
        "different": 0,
    }


def false_verdicts(audit: Audit, peer: Archive, sent: dict[str, bytes]) -> dict[str, tuple[str, str, list[str]]]:
    """The instances of which the newest audit says what is not so."""
    false = {}
    for instance in audit.instances.all():
        uid = instance.sop_instance_uid
        is_there = uid in peer.stored and peer.stored[uid].data_set == sent[uid]
        kinds = list(instance.evidence.order_by("id").values_list("kind", flat=True))
        if (instance.verdict == "confirmed" and not is_there) or (instance.verdict == "refuted" and is_there):
            false[uid] = (instance.verdict, instance.ground, kinds)
    return false
