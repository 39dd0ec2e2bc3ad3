"""Whether what is asked for can be promised at a destination, said before anything is read or sent."""

from __future__ import annotations

from typing import NamedTuple

from transfers.methods import METHODS, default_method
from transfers.models import Destination, Source
from transfers.rollback import CannotRollBack, check_can_roll_back
from transfers.verification import Level, Verification

FILES = "files"
"""The kind of source, among those of a method, of what no Source holds."""
NO_COMMITMENT = "Storage Commitment is asked of DICOM destinations only."


class NotFeasible(Exception):
    """What is asked for contradicts itself, or cannot be promised at this destination; `field` of Wish says which."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


class Wish(NamedTuple):
    """What is asked for, as far as it was said; the destination's settings say the rest."""

    destination: Destination
    method: str = ""
    """A key of METHODS."""
    verify: str = ""
    """As `transfers.verification` spells it."""
    asks_commitment: bool | None = None
    rolls_back: bool = False
    is_inquiry: bool = False
    """Nothing is sent: the destination is only asked about what was submitted."""
    send_what_can: bool = False
    starts: bool = True
    source: Source | None = None
    """What holds the studies; None: they are files."""


class Plan(NamedTuple):
    """What will be done."""

    method: str
    """Empty: nothing is sent."""
    verify: str
    asks_commitment: bool


def plan_of(wish: Wish) -> Plan:
    """Raises NotFeasible, with the reason, for what contradicts itself or cannot be promised there."""
    if wish.asks_commitment and wish.destination.kind != "dicom":
        raise NotFeasible("asks_commitment", NO_COMMITMENT)
    return _plan_of_inquiry(wish) if wish.is_inquiry else _plan_of_sending(wish)


def _plan_of_inquiry(wish: Wish) -> Plan:
    """Where nothing is said, it is asked what it holds even if its policy is to ask nothing after sending."""
    contradictions = {
        "method": bool(wish.method),
        "rolls_back": wish.rolls_back,
        "send_what_can": wish.send_what_can,
        "starts": not wish.starts,
    }
    for field, is_said in contradictions.items():
        if is_said:
            raise NotFeasible(field, _NOTHING_SENT[field])
    verify = wish.verify or asked_again(wish.destination.verify)
    asks_commitment = bool(wish.asks_commitment)
    if not asks_commitment and not Verification.parse(verify).asks:
        raise NotFeasible("verify", "Nothing is sent, and nothing would be asked: choose how to ask.")
    return Plan("", verify, asks_commitment)


_NOTHING_SENT = {
    "method": "Nothing is sent, so there is no method to choose.",
    "rolls_back": "Nothing is sent, so there is nothing that could be removed again.",
    "send_what_can": "Nothing is sent, so nothing can be left out of it.",
    "starts": "Nothing is sent, so there is no draft to start: it asks at once.",
}


def _plan_of_sending(wish: Wish) -> Plan:
    destination = wish.destination
    verify = wish.verify or destination.verify
    method = _method(wish)
    if wish.rolls_back:
        try:
            check_can_roll_back(destination, verify)
        except CannotRollBack as error:
            raise NotFeasible("rolls_back", str(error)) from error
    return Plan(method, verify, bool(wish.asks_commitment) or METHODS[method].asks_commitment)


def _method(wish: Wish) -> str:
    destination = wish.destination
    offers_commitment = destination.offers_commitment and wish.asks_commitment is not False
    key = wish.method or default_method(destination.kind, offers_commitment=offers_commitment)
    if destination.kind not in METHODS[key].kinds:
        reason = f"{METHODS[key].label} cannot send to {destination}: it is of another kind."
        raise NotFeasible("method", reason)
    if (wish.source.kind if wish.source else FILES) not in METHODS[key].sources:
        raise NotFeasible("method", f"{METHODS[key].label} needs a source that sends by itself: choose another method.")
    if METHODS[key].asks_commitment and wish.asks_commitment is False:
        raise NotFeasible("asks_commitment", f"{METHODS[key].label} asks for commitment: choose another method.")
    return key


def asked_again(verify: str) -> str:
    """How a destination is asked where nothing is sent, by what it was asked before: not in no way at all."""
    return verify if Verification.parse(verify).asks else Level.PRESENCE.value
