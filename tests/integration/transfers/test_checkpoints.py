"""What a method must know again after a crash is saved before it goes on, and given back to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest
from django.db import connection

from audit.entries import ManifestEntry
from audit.models import Evidence
from audit.observations import EvidenceKind, Observation
from tests.integration.transfers.conftest import dead
from transfers.methods import METHODS
from transfers.methods.base import Checkpoint, Preflight, Seen, SendContext
from transfers.methods.c_store import CStore
from transfers.models import Attempt, Transfer
from transfers.queue import claim
from transfers.runner import run_transfer
from transfers.states import State

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("whole_ledger")]

JOB = Checkpoint("job", {"id": "f99d149f"})


class Dies(BaseException):
    """As a process that is killed: nothing is cleaned up."""


class Scripted(CStore):
    """Yields what it is told to; where it is told to die, it dies once the runner asks for more."""

    key = "c-store"

    def __init__(self) -> None:
        self.dies = False
        self.given: list[tuple[Checkpoint, ...]] = []

    def preflight(self, *_: object) -> Preflight:
        return Preflight()

    def send(self, entries: Sequence[ManifestEntry], context: SendContext) -> Iterator[Seen]:  # type: ignore[override]
        self.given.append(context.checkpoints)
        first, *others = entries
        yield Observation(first.sop_instance_uid, EvidenceKind.JOB_SUCCEEDED, datetime.now(UTC))
        yield JOB
        self.saved = list(Attempt.objects.values_list("checkpoints", flat=True))
        self.seen = Evidence.objects.filter(kind="job-succeeded").count()
        if self.dies:
            raise Dies
        for entry in others:
            yield Observation(entry.sop_instance_uid, EvidenceKind.JOB_SUCCEEDED, datetime.now(UTC))


@pytest.fixture
def method(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    scripted = Scripted()
    monkeypatch.setitem(METHODS, "c-store", scripted)
    return scripted


@pytest.fixture
def transfer(create: Callable[..., Transfer]) -> Transfer:
    transfer = create()
    Transfer.objects.update(verify="none")
    transfer.verify = "none"
    return transfer


def test_a_checkpoint_is_saved_with_all_before_it_and_forgotten_in_the_end(
    method: Scripted, transfer: Transfer
) -> None:
    run_transfer(transfer)

    assert method.given == [()]
    assert method.saved == [[{"kind": "job", "handle": {"id": "f99d149f"}}]]
    assert method.seen == 1
    assert list(transfer.attempts.values_list("checkpoints", flat=True)) == [[]]


def test_whoever_takes_up_a_transfer_whose_process_died_is_given_its_checkpoints(
    method: Scripted, transfer: Transfer
) -> None:
    method.dies = True
    with pytest.raises(Dies):
        run_transfer(transfer)
    Transfer.objects.update(state=State.SENDING, worker=dead())
    transfer.refresh_from_db()
    method.dies = False
    connection.close()

    claim(transfer, "another")
    run_transfer(transfer)

    assert method.given == [(), (JOB,)]
    assert list(transfer.attempts.values_list("checkpoints", flat=True)) == [[], []]
