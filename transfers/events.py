"""What is told over the websockets: every message, its members and their types. Pure.

`docs/websocket.md` is compared with it. No message names a patient, a UID, a path or what a peer said: pages and
programs fetch what is behind a change from the addresses that answer with it.
"""

from __future__ import annotations

from typing import Literal, TypedDict

Phase = Literal["claimed", "preparing", "preflight", "sending", "verifying", "rolling_back"]


class Counts(TypedDict):
    """How many instances there are, and how many have which verdict; of an open audit, refuted or pending."""

    instances: int
    confirmed: int
    refuted: int
    unproven: int
    pending: int


class Funnel(TypedDict):
    """How many instances have come how far, over the whole chain of audits."""

    expected: int
    sent: int
    acknowledged: int
    committed: int
    present: int
    compared: int


class Progress(TypedDict):
    """How far the phase is that goes on."""

    phase: Phase
    done: int
    total: int
    done_bytes: int
    total_bytes: int
    instances_per_second: float
    bytes_per_second: int
    seconds_left: int | None


class TransferMembers(TypedDict):
    """What every message about one transfer says of it."""

    id: str
    revision: int
    state: str
    verdict: str
    proof: str | None
    events: int
    counts: Counts
    funnel: Funnel
    progress: Progress | None


class TransferSnapshot(TransferMembers):
    """Everything there is to tell; the first message of a transfer's socket."""

    type: Literal["transfer.snapshot"]
    cells: str


class TransferChanged(TransferMembers):
    """What the transfer is now, and those of its cells that changed, each run with its first position."""

    type: Literal["transfer.changed"]
    previous: int
    cells: list[tuple[int, str]]


class ListedTransfer(TypedDict):
    """A transfer in the messages of the list; counted is what is under way or was judged."""

    id: str
    revision: int
    state: str
    verdict: str
    proof: str | None
    counts: Counts | None
    progress: Progress | None


Totals = TypedDict(
    "Totals",
    {
        "committed": int,
        "partial": int,
        "nothing-stored": int,
        "unverifiable": int,
        "missing": int,
        "overdue": int,
        "running": int,
        "queued": int,
    },
)
"""The numbers above the list: committed today (UTC), what stands with another verdict, alarms, what runs and waits."""


class TransfersSnapshot(TypedDict):
    """The newest transfers and all that run; the first message of the socket of the list."""

    type: Literal["transfers.snapshot"]
    revision: int
    totals: Totals
    transfers: list[ListedTransfer]


class TransfersChanged(TypedDict):
    """Every transfer that changed or is new; created are those that nobody was told of before."""

    type: Literal["transfers.changed"]
    revision: int
    previous: int
    totals: Totals
    created: list[str]
    transfers: list[ListedTransfer]


class Ended(TypedDict):
    """The login has ended, and the socket is closed with it."""

    type: Literal["ended"]
    revision: int


Event = TransferSnapshot | TransferChanged | TransfersSnapshot | TransfersChanged | Ended
