"""What is told of a transfer that ends while it is being looked at."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from audit.ledger import Ledger
from transfers import queue
from transfers.live.rows import read_transfers
from transfers.live.watched import LiveAudits, WatchedTransfer
from transfers.models import Transfer
from transfers.states import State

pytestmark = pytest.mark.django_db


def test_what_is_judged_between_two_queries_is_not_told_with_the_state_before(create: Callable[..., Transfer]) -> None:
    transfer = create()
    for state in (State.PREPARING, State.VERIFYING):
        queue.move(transfer, state)
    watched = WatchedTransfer(transfer.public_id, LiveAudits())
    watched.look({transfer.public_id: read_transfers(pk=transfer.pk)[0]}, 0.0)
    ledger = Ledger(transfer.audit)
    ledger.begin_round()
    stale = {transfer.public_id: read_transfers(pk=transfer.pk)[0]}
    ledger.close()
    queue.move(transfer, State.FINISHED)

    told = watched.look(stale, 1.0)

    assert told is not None
    assert told["state"] == "finished"
    assert told["counts"]["unproven"] == 3
