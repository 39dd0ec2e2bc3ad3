"""What the websocket of one transfer tells: a snapshot, then changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.cells import Cell
from audit.ledger import Ledger
from audit.observations import EvidenceKind, Observation
from tests.integration.transfers.live.conftest import Open, address_of, in_thread
from transfers import queue, services
from transfers.live import hub
from transfers.models import Attempt, Transfer
from transfers.states import State

pytestmark = pytest.mark.django_db(transaction=True)

Create = Callable[..., Transfer]


def write(transfer: Transfer, *kinds: EvidenceKind, count: int = 1) -> None:
    """These kinds of evidence for so many instances, flushed at once, in a round of their own."""
    ledger = Ledger(transfer.audit)
    ledger.note_was_there_before([], [])
    ledger.begin_round()
    uids = transfer.audit.instances.order_by("position").values_list("sop_instance_uid", flat=True)
    for uid in uids[:count]:
        for kind in kinds:
            ledger.record(Observation(uid, kind, timezone.now()))
    ledger.flush()


def finish(transfer: Transfer) -> None:
    for state in (State.PREPARING, State.PREFLIGHT, State.SENDING, State.VERIFYING):
        queue.move(transfer, state)
    Ledger(transfer.audit).close()
    transfer.audit.refresh_from_db()
    queue.move(transfer, State.FINISHED)


async def test_the_first_message_is_everything_there_is_to_tell(open_socket: Open, transfer: Transfer) -> None:
    await in_thread(write, transfer, EvidenceKind.SENT, EvidenceKind.ACKNOWLEDGED, count=2)
    socket = await open_socket(address_of(transfer))

    snapshot = await socket.event()

    assert snapshot["type"] == "transfer.snapshot"
    assert (snapshot["id"], snapshot["state"], snapshot["verdict"]) == (str(transfer.public_id), "claimed", "pending")
    assert snapshot["cells"] == "aa."
    assert snapshot["counts"] == {"instances": 3, "confirmed": 0, "refuted": 0, "unproven": 0, "pending": 3}
    assert snapshot["funnel"] == {
        "expected": 3,
        "sent": 2,
        "acknowledged": 2,
        "committed": 0,
        "present": 0,
        "compared": 0,
    }


async def test_then_comes_what_changed(open_socket: Open, transfer: Transfer) -> None:
    socket = await open_socket(address_of(transfer))
    snapshot = await socket.event()

    await in_thread(write, transfer, EvidenceKind.SENT)
    changed = await socket.until(lambda event: event["cells"] != [])

    assert changed["type"] == "transfer.changed"
    assert changed["cells"] == [[0, "s.."]]
    assert snapshot["revision"] <= changed["previous"] < changed["revision"]


async def test_each_change_continues_the_one_before(open_socket: Open, create: Create) -> None:
    transfer = await in_thread(create, instances=40)
    socket = await open_socket(address_of(transfer))
    event = await socket.event()
    revision, cells = event["revision"], event["cells"]

    for count in range(1, 6):
        await in_thread(write, transfer, EvidenceKind.SENT, count=count * 8)
        while cells != Cell.SENT * count * 8 + Cell.PENDING * (40 - count * 8):
            event = await socket.event()
            assert event["previous"] == revision
            revision, cells = event["revision"], patched(cells, event["cells"])


def patched(cells: str, runs: list[tuple[int, str]]) -> str:
    for first, run in runs:
        cells = cells[:first] + run + cells[first + len(run) :]
    return cells


async def test_the_verdict_is_told_once_it_is_judged(open_socket: Open, transfer: Transfer) -> None:
    await in_thread(write, transfer, EvidenceKind.SENT, EvidenceKind.ACKNOWLEDGED, EvidenceKind.PRESENT, count=3)
    socket = await open_socket(address_of(transfer))
    snapshot = await socket.event()

    await in_thread(finish, transfer)
    told = await socket.until(lambda event: event["state"] == "finished")

    assert (snapshot["cells"], snapshot["counts"]["confirmed"]) == ("ppp", 0)
    assert (told["verdict"], told["proof"], told["counts"]["confirmed"]) == ("committed", "present", 3)
    assert told["progress"] is None


async def test_what_is_sent_again_goes_on_in_the_same_socket(open_socket: Open, transfer: Transfer) -> None:
    await in_thread(write, transfer, EvidenceKind.SENT, EvidenceKind.REFUSED, count=3)
    await in_thread(finish, transfer)
    socket = await open_socket(address_of(transfer))
    before = await socket.event()

    await in_thread(services.retry, transfer)
    after = await socket.event()

    assert (before["cells"], before["verdict"]) == ("rrr", "nothing-stored")
    assert (after["state"], after["verdict"], after["previous"]) == ("queued", "pending", before["revision"])


async def test_progress_is_that_of_the_attempt(open_socket: Open, create: Create) -> None:
    transfer = await in_thread(create, instances=10)
    await in_thread(begin_sending, transfer, seconds_ago=10)
    socket = await open_socket(address_of(transfer))

    progress = (await socket.event())["progress"]

    assert (progress["phase"], progress["done"], progress["total"]) == ("sending", 4, 10)
    assert (progress["done_bytes"], progress["total_bytes"]) == (4_000, 10_000)
    assert progress["instances_per_second"] == pytest.approx(0.4, abs=0.1)
    assert progress["seconds_left"] == pytest.approx(15, abs=2)


def begin_sending(transfer: Transfer, seconds_ago: float) -> None:
    """Four of ten instances have their answer since."""
    for state in (State.PREPARING, State.PREFLIGHT, State.SENDING):
        queue.move(transfer, state)
    ledger = Ledger(transfer.audit)
    at = timezone.now() - timedelta(seconds=seconds_ago)
    Attempt.objects.create(
        transfer=transfer, round=ledger.begin_round(), instances=10, size_bytes=10_000, started_at=at
    )
    for uid in list(ledger._instance_ids)[:4]:
        ledger.record(Observation(uid, EvidenceKind.ACKNOWLEDGED, timezone.now()))
    ledger.flush()


async def test_while_nothing_arrives_the_speed_is_told_to_fall(open_socket: Open, create: Create) -> None:
    transfer = await in_thread(create, instances=10)
    await in_thread(begin_sending, transfer, seconds_ago=1)
    socket = await open_socket(address_of(transfer))
    before = await socket.event()

    told = await socket.event()

    assert told["previous"] == told["revision"] == before["revision"]
    assert told["progress"]["instances_per_second"] < before["progress"]["instances_per_second"]


async def test_who_comes_back_gets_what_was_missed(open_socket: Open, transfer: Transfer) -> None:
    address = address_of(transfer)
    other, socket = await open_socket(address), await open_socket(address)
    snapshot = await socket.event()
    await socket.leave()
    await in_thread(write, transfer, EvidenceKind.SENT)
    await other.until(lambda event: event["type"] == "transfer.changed" and event["cells"] != [])

    back = await open_socket(f"{address}?since={snapshot['revision']}")
    missed = await back.event()

    assert (missed["type"], missed["previous"]) == ("transfer.changed", snapshot["revision"])


async def test_what_happens_while_nobody_watches_is_not_missed_either(open_socket: Open, transfer: Transfer) -> None:
    socket = await open_socket(address_of(transfer))
    snapshot = await socket.event()
    await socket.leave()
    await in_thread(write, transfer, EvidenceKind.SENT)
    await asyncio.sleep(2 * hub.BUSY_SECONDS)

    back = await open_socket(f"{address_of(transfer)}?since={snapshot['revision']}")

    assert (await back.event())["type"] == "transfer.changed"


async def test_who_comes_back_and_missed_nothing_is_told_that_it_is_live(open_socket: Open, transfer: Transfer) -> None:
    socket = await open_socket(address_of(transfer))
    snapshot = await socket.event()
    await socket.leave()

    back = await open_socket(f"{address_of(transfer)}?since={snapshot['revision']}")
    event = await back.event()

    assert (event["type"], event["previous"], event["cells"]) == ("transfer.changed", snapshot["revision"], [])


@pytest.mark.parametrize("since", ["0", "999999", "-1", "x", "", "1e3", "9" * 30, "٣"])
async def test_a_revision_that_is_not_known_is_answered_with_a_snapshot(
    open_socket: Open, transfer: Transfer, since: str
) -> None:
    socket = await open_socket(f"{address_of(transfer)}?since={since}")

    assert (await socket.event())["type"] == "transfer.snapshot"


async def test_there_are_at_most_two_messages_a_second_however_fast_it_goes(open_socket: Open, create: Create) -> None:
    transfer = await in_thread(create, instances=2_000)
    socket = await open_socket(address_of(transfer))
    await socket.event()

    pouring = asyncio.ensure_future(in_thread(pour, transfer, 3.0))
    began_at = time.monotonic()
    messages = 0
    while not pouring.done():
        await socket.event()
        messages += 1
    elapsed = time.monotonic() - began_at

    assert elapsed > 2
    assert elapsed < messages <= elapsed * 2 + 1


def pour(transfer: Transfer, seconds: float) -> None:
    """Evidence as fast as it can be written."""
    ledger = Ledger(transfer.audit)
    ledger.begin_round()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for uid in ledger._instance_ids:
            ledger.record(Observation(uid, EvidenceKind.SENT, timezone.now()))


async def test_a_transfer_that_does_not_exist_is_said_to_be_none(open_socket: Open) -> None:
    socket = await open_socket("/ws/transfers/1b4e28ba-2fa1-11d2-883f-0016d3cca427/")

    assert await socket.close_code() == 4404


@pytest.mark.parametrize("address", ["/ws/transfers/1/", "/ws/", "/", "/ws/transfers", "/admin/"])
async def test_so_is_any_other_address(open_socket: Open, address: str) -> None:
    socket = await open_socket(address)

    assert await socket.close_code() == 4404
