"""What the websocket of the list tells: the newest and all that run, then whatever changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.ledger import Ledger
from audit.observations import EvidenceKind, Observation
from tests.integration.transfers.live.conftest import Open, in_thread
from transfers import services
from transfers.live import listing
from transfers.models import Transfer

pytestmark = pytest.mark.django_db(transaction=True)

Create = Callable[..., Transfer]


def cancelled(create: Create) -> Transfer:
    """Ended before anything of it was sent."""
    transfer = create(worker="")
    services.cancel(transfer)
    return transfer


def ids(event: dict[str, Any]) -> list[str]:
    return [each["id"] for each in event["transfers"]]


async def test_the_first_message_has_the_newest_first(open_socket: Open, create: Create) -> None:
    one, other = await in_thread(create), await in_thread(create, worker="")
    socket = await open_socket("/ws/transfers/")

    snapshot = await socket.event()

    assert snapshot["type"] == "transfers.snapshot"
    assert ids(snapshot) == [str(other.public_id), str(one.public_id)]
    assert [each["state"] for each in snapshot["transfers"]] == ["queued", "claimed"]


async def test_only_a_page_is_told_and_beside_it_what_runs(
    open_socket: Open, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "NEWEST", 2)
    running = await in_thread(create)
    old, *newest = [await in_thread(cancelled, create) for _ in range(3)]
    socket = await open_socket("/ws/transfers/")

    snapshot = await socket.event()

    assert ids(snapshot) == [str(each.public_id) for each in (newest[1], newest[0], running)]
    assert str(old.public_id) not in socket.heard[0]


async def test_the_totals_are_the_numbers_above_the_list(open_socket: Open, create: Create) -> None:
    for verdict, days in (("committed", 0), ("committed", 1), ("partial", 0), ("partial", 1)):
        await in_thread(end, create, verdict, days)
    await in_thread(cancelled, create)
    await in_thread(create)
    await in_thread(create, worker="")
    socket = await open_socket("/ws/transfers/")

    totals = (await socket.event())["totals"]

    assert totals == {
        "committed": 1,
        "partial": 2,
        "nothing-stored": 0,
        "unverifiable": 0,
        "missing": 0,
        "overdue": 0,
        "running": 1,
        "queued": 1,
    }


def end(create: Create, verdict: str, days_ago: int) -> None:
    transfer = create(worker="")
    ended = {"state": "finished", "verdict": verdict, "finished_at": timezone.now() - timedelta(days=days_ago)}
    Transfer.objects.filter(pk=transfer.pk).update(**ended)


async def test_a_new_transfer_is_told_once_as_created(open_socket: Open, create: Create) -> None:
    socket = await open_socket("/ws/transfers/")
    await socket.event()

    transfer = await in_thread(create, worker="")
    created = await socket.event()
    await in_thread(services.cancel, transfer)
    ended = await socket.event()

    assert (created["created"], ids(created)) == ([str(transfer.public_id)], [str(transfer.public_id)])
    assert (ended["created"], ids(ended)) == ([], [str(transfer.public_id)])
    assert ended["transfers"][0]["verdict"] == "nothing-stored"
    assert ended["totals"]["queued"] == 0


async def test_a_change_of_an_old_transfer_is_told_too(
    open_socket: Open, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "NEWEST", 1)
    old = await in_thread(cancelled, create)
    await in_thread(cancelled, create)
    socket = await open_socket("/ws/transfers/")
    snapshot = await socket.event()

    await in_thread(services.retry, old)
    changed = await socket.event()

    assert str(old.public_id) not in ids(snapshot)
    assert (ids(changed), changed["created"]) == ([str(old.public_id)], [])
    assert changed["transfers"][0]["state"] == "queued"


async def test_everything_that_changed_meanwhile_comes_in_one_message(open_socket: Open, create: Create) -> None:
    transfers = [await in_thread(create, worker="") for _ in range(5)]
    socket = await open_socket("/ws/transfers/")
    await socket.event()

    await in_thread(cancel_all, transfers)
    told = await socket.until(lambda event: str(transfers[-1].public_id) in ids(event))

    assert len(told["transfers"]) >= 2


def cancel_all(transfers: list[Transfer]) -> None:
    for transfer in transfers:
        services.cancel(transfer)


async def test_what_runs_is_told_with_its_progress(open_socket: Open, create: Create) -> None:
    transfer = await in_thread(create)
    socket = await open_socket("/ws/transfers/")
    await socket.event()

    await in_thread(refuse_one, transfer)
    told = await socket.until(lambda event: event["transfers"][0]["counts"]["refuted"] == 1)

    (listed,) = told["transfers"]
    assert listed["counts"] == {"instances": 3, "confirmed": 0, "refuted": 1, "unproven": 0, "pending": 2}
    assert listed["progress"]["phase"] == "claimed"


def refuse_one(transfer: Transfer) -> None:
    ledger = Ledger(transfer.audit)
    ledger.begin_round()
    ledger.record(Observation("2.25.1.1", EvidenceKind.REFUSED, timezone.now()))
    ledger.flush()


async def test_nothing_is_told_while_nothing_changes(open_socket: Open, create: Create) -> None:
    await in_thread(cancelled, create)
    socket = await open_socket("/ws/transfers/")
    await socket.event()

    assert await socket.is_silent_for(2.5)


async def test_who_comes_back_to_the_list_gets_a_snapshot(open_socket: Open) -> None:
    socket = await open_socket("/ws/transfers/")
    snapshot = await socket.event()
    await socket.leave()

    back = await open_socket(f"/ws/transfers/?since={snapshot['revision']}")

    assert (await back.event())["type"] == "transfers.snapshot"
