"""The states of a transfer and what may follow what. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a transfer is; what is proved of it is its verdict, never its state."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    """A process has taken it, and holds a lease."""
    PREPARING = "preparing"
    PREFLIGHT = "preflight"
    DRAFT = "draft"
    """The destination was asked before the first byte; somebody has to start it."""
    SENDING = "sending"
    VERIFYING = "verifying"
    AWAITING_COMMITMENT = "awaiting_commitment"
    """All is done but the destination's report, which a listener takes; no process holds it, and it may take hours."""
    ROLLING_BACK = "rolling_back"
    """What this transfer brought to the destination is removed from there again."""
    FINISHED = "finished"
    """Everything was done that could be; the audit is sealed."""
    CANCELLED = "cancelled"
    """Ended because somebody asked for it; the audit is sealed."""
    INTERRUPTED = "interrupted"
    """Stopped half-way (Ctrl-C, hand-back, a process that died); the audit is open, and it can be resumed."""
    FAILED = "failed"
    """An error of ours; the audit holds what was observed."""

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL


_RUNNING = (
    State.CLAIMED,
    State.PREPARING,
    State.PREFLIGHT,
    State.SENDING,
    State.VERIFYING,
    State.ROLLING_BACK,
)
TERMINAL = frozenset({State.FINISHED, State.CANCELLED, State.FAILED})
HELD = frozenset(_RUNNING)
"""The states in which a process holds the transfer by a lease."""

RETRIABLE = frozenset({State.FINISHED, State.CANCELLED, State.FAILED, State.INTERRUPTED})
"""Nobody works on it, nothing is waited for, and what is not confirmed can be sent again."""

_ENDS = frozenset({State.CANCELLED, State.INTERRUPTED, State.FAILED})
_CLOSES = frozenset({State.FINISHED, State.AWAITING_COMMITMENT})
_LEAVES = _ENDS | {State.QUEUED}
"""How a process lets go of a transfer before it is finished; it goes back to the queue where the worker is stopped."""

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.CLAIMED, State.CANCELLED}),
    State.CLAIMED: frozenset({State.PREPARING}) | _LEAVES,
    State.PREPARING: frozenset({State.PREFLIGHT, State.ROLLING_BACK, State.VERIFYING}) | _CLOSES | _LEAVES,
    State.PREFLIGHT: frozenset({State.DRAFT, State.SENDING, State.VERIFYING}) | _CLOSES | _LEAVES,
    State.DRAFT: frozenset({State.QUEUED, State.CANCELLED}),
    State.SENDING: frozenset({State.VERIFYING}) | _CLOSES | _LEAVES,
    State.VERIFYING: frozenset({State.ROLLING_BACK}) | _CLOSES | _LEAVES,
    State.ROLLING_BACK: frozenset({State.VERIFYING}) | _CLOSES | _LEAVES,
    State.AWAITING_COMMITMENT: frozenset({State.QUEUED, State.CLAIMED, State.FINISHED, State.CANCELLED}),
    State.INTERRUPTED: frozenset({State.QUEUED, State.CLAIMED, State.CANCELLED}),
    # A retry, or a later verification, takes up again what had ended.
    State.FINISHED: frozenset({State.QUEUED, State.CLAIMED}),
    State.CANCELLED: frozenset({State.QUEUED, State.CLAIMED}),
    State.FAILED: frozenset({State.QUEUED, State.CLAIMED}),
}


class Purpose(StrEnum):
    """What the next run of a transfer is for."""

    SEND = "send"
    VERIFY = "verify"
    """The destination is only asked."""
    ROLL_BACK = "roll_back"
    """What the transfer brought there is removed again."""


class BatchState(StrEnum):
    """Where a batch is: what was submitted in one go."""

    QUEUED = "queued"
    READING = "reading"
    """A worker has taken it, and reads its input."""
    ASKING = "asking"
    """Its transfers are made; the destinations are asked what they would take, and nothing is sent."""
    DRAFT = "draft"
    """Everything was asked; somebody has to start it."""
    STARTED = "started"
    """Its transfers go their own way."""
    FAILED = "failed"
    """No transfer could be made of it."""
    DISCARDED = "discarded"
    """Somebody decided against the draft."""


BATCH_TRANSITIONS: Mapping[BatchState, frozenset[BatchState]] = {
    BatchState.QUEUED: frozenset({BatchState.READING, BatchState.DISCARDED}),
    BatchState.READING: frozenset(
        {BatchState.QUEUED, BatchState.ASKING, BatchState.STARTED, BatchState.FAILED, BatchState.DISCARDED}
    ),
    BatchState.ASKING: frozenset({BatchState.DRAFT, BatchState.DISCARDED}),
    BatchState.DRAFT: frozenset({BatchState.STARTED, BatchState.DISCARDED}),
    BatchState.STARTED: frozenset(),
    BatchState.FAILED: frozenset(),
    BatchState.DISCARDED: frozenset(),
}
