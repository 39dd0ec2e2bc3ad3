"""A DIMSE message as it arrives at a scripted archive."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.fakes import command_sets as wire
from tests.fakes.acts import Act
from tests.fakes.command_sets import CommandSet
from tests.fakes.negotiation import Proposal


@dataclass
class Message:
    """The command set is complete, the data set may still be arriving."""

    context: Proposal
    command_set: CommandSet
    act: Act | None = None
    """What the script has for it."""
    is_answered: bool = False
    fragments: list[bytes] = field(default_factory=list)

    @property
    def command_field(self) -> int:
        return self.command_set.number(wire.COMMAND_FIELD)

    @property
    def sop_class_uid(self) -> str:
        """Affected, or of an N-ACTION requested."""
        return self.command_set.text(wire.AFFECTED_SOP_CLASS_UID) or self.command_set.text(wire.REQUESTED_SOP_CLASS_UID)

    @property
    def sop_instance_uid(self) -> str:
        """Affected, or of an N-ACTION requested."""
        affected = self.command_set.text(wire.AFFECTED_SOP_INSTANCE_UID)
        return affected or self.command_set.text(wire.REQUESTED_SOP_INSTANCE_UID)

    @property
    def transfer_syntax_uid(self) -> str:
        assert self.context.accepted is not None, "a message in a context that was not accepted"
        return self.context.accepted

    @property
    def data_set(self) -> bytes:
        return b"".join(self.fragments)
