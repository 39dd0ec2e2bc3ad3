"""C-STORE by us, after which the destination is asked to commit to what it holds (PS3.4 B and J)."""

from __future__ import annotations

from dataclasses import dataclass, field

from transfers.methods.c_store import CStore


class CStoreCommitment(CStore):
    """Sends as C-STORE does. Whoever runs it asks for the commitment afterwards, over an association of its own."""

    key = "c-store-commitment"
    label = "C-STORE and storage commitment"
    sender_can_trust = "Each instance that the report of storage commitment lists as committed."
    asks_commitment = True

    @dataclass(frozen=True, slots=True)
    class Options(CStore.Options):
        """What may be said for one transfer."""

        commitment_timeout_seconds: int = field(
            default=0,
            metadata={
                "help": "how long the report may take before it is overdue, in place of the destination's",
                "minimum": 1,
                "maximum": 30 * 86_400,
            },
        )
