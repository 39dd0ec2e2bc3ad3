"""A DIMSE message as it arrives at a scripted archive."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.fakes.acts import Act
from tests.fakes.command_sets import AFFECTED_SOP_CLASS_UID, AFFECTED_SOP_INSTANCE_UID, COMMAND_FIELD, CommandSet
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
        return self.command_set.number(COMMAND_FIELD)

    @property
    def sop_class_uid(self) -> str:
        return self.command_set.text(AFFECTED_SOP_CLASS_UID)

    @property
    def sop_instance_uid(self) -> str:
        return self.command_set.text(AFFECTED_SOP_INSTANCE_UID)

    @property
    def transfer_syntax_uid(self) -> str:
        assert self.context.accepted is not None, "a message in a context that was not accepted"
        return self.context.accepted

    @property
    def data_set(self) -> bytes:
        return b"".join(self.fragments)
