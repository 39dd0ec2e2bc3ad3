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
    SENDING = "sending"
    VERIFYING = "verifying"
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


_RUNNING = (State.CLAIMED, State.PREPARING, State.PREFLIGHT, State.SENDING, State.VERIFYING)
TERMINAL = frozenset({State.FINISHED, State.CANCELLED, State.FAILED})
HELD = frozenset(_RUNNING)
"""The states in which a process holds the transfer by a lease."""

_ENDS = frozenset({State.CANCELLED, State.INTERRUPTED, State.FAILED})

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.CLAIMED, State.CANCELLED}),
    State.CLAIMED: frozenset({State.PREPARING, State.QUEUED}) | _ENDS,
    State.PREPARING: frozenset({State.PREFLIGHT, State.VERIFYING, State.FINISHED}) | _ENDS,
    State.PREFLIGHT: frozenset({State.SENDING, State.VERIFYING, State.FINISHED}) | _ENDS,
    State.SENDING: frozenset({State.VERIFYING, State.FINISHED}) | _ENDS,
    State.VERIFYING: frozenset({State.FINISHED}) | _ENDS,
    State.INTERRUPTED: frozenset({State.QUEUED, State.CLAIMED, State.CANCELLED}),
    # A retry, or a later verification, takes up again what had ended.
    State.FINISHED: frozenset({State.QUEUED, State.CLAIMED}),
    State.CANCELLED: frozenset({State.QUEUED, State.CLAIMED}),
    State.FAILED: frozenset({State.QUEUED, State.CLAIMED}),
}
