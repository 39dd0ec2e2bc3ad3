"""C-STORE of a scripted archive (PS3.7 9.1.1): what the script has for an instance, before and after its data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.acts import Answer
from tests.fakes.holdings import Holding
from tests.fakes.script import StoreRequest, planned

if TYPE_CHECKING:
    from tests.fakes.association import ServedAssociation
    from tests.fakes.messages import Message


def begin_store(association: ServedAssociation, message: Message) -> None:
    """The command set is there."""
    log, record = association.archive.log, association.record
    if message.sop_class_uid != message.context.abstract_syntax:
        log.broken_rule(f"a C-STORE of {message.sop_class_uid} in a context of {message.context.abstract_syntax}")
    record.stores += 1
    request = StoreRequest(
        number=log.requested(message.sop_instance_uid),
        association=record.number,
        sop_class_uid=message.sop_class_uid,
        sop_instance_uid=message.sop_instance_uid,
        transfer_syntax_uid=message.transfer_syntax_uid,
    )
    message.act = planned(association.archive.script.on_store, request)
    if message.act is not None and message.act.early:
        association.actor.do_or_answer(message, message.act)
        message.is_answered = True


def finish_store(association: ServedAssociation, message: Message) -> None:
    """The data set is there too."""
    act = message.act or Answer()
    association.archive.log.received(message.sop_instance_uid)
    if act.keeps_the_instance if isinstance(act, Answer) else act.stores:
        association.archive.keep(
            Holding(message.sop_instance_uid, message.sop_class_uid, message.transfer_syntax_uid, message.data_set)
        )
    if not message.is_answered:
        association.actor.do_or_answer(message, act)
