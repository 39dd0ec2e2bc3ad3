"""What a websocket tells of one transfer: a snapshot, then changes."""

from __future__ import annotations

import pytest

from tests.integration.transfers.live.conftest import Open
from transfers.models import Transfer

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_first_message_is_a_snapshot(open_socket: Open, transfer: Transfer) -> None:
    socket = await open_socket(f"/ws/transfers/{transfer.public_id}/")

    snapshot = await socket.event()

    assert snapshot["type"] == "transfer.snapshot"
    assert snapshot["cells"] == "..."


async def test_the_list_begins_with_the_newest_transfers_and_all_that_run(
    open_socket: Open, transfer: Transfer
) -> None:
    socket = await open_socket("/ws/transfers/")

    snapshot = await socket.event()

    assert snapshot["type"] == "transfers.snapshot"
    assert [(each["id"], each["state"]) for each in snapshot["transfers"]] == [(str(transfer.public_id), "claimed")]
    assert snapshot["totals"]["running"] == 1
