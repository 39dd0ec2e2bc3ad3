"""What starting a draft would come to, from what its preflight found (see `transfers.preflight`). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from audit.judgements import Policy
from transfers.ceilings import ceiling


class Note(NamedTuple):
    """Something that the destination said, or that the input holds."""

    tone: str
    """Of a notice: error, warning or info."""
    text: str


class Plan(NamedTuple):
    """How a draft would be sent."""

    method: str | None
    policy: Policy
    verify: str
    send_what_can: bool
    asks_commitment: bool = False
    rolls_back: bool = False


class Best(NamedTuple):
    """The best verdict that there can be for this study now."""

    title: str
    sentence: str


class Prospect(NamedTuple):
    """What starting a draft would come to."""

    instances: int
    """That would be sent."""
    size_bytes: int
    best: Best
    notes: tuple[Note, ...]
    can_send_more: bool
    """Something could be sent that is held back, because other instances of the study cannot be."""
    is_unasked: bool
    """The destination could not be asked: what it takes shows only when it is asked again, before sending."""

    @property
    def is_clear(self) -> bool:
        """Nothing stands in the way of the best that the method can prove."""
        return not self.notes


def prospect(findings: Mapping[str, Any], plan: Plan, *, instances: int, size_bytes: int) -> Prospect:
    """Of a study of so many instances and bytes."""
    withheld = _withheld(findings)
    is_unasked = findings.get("error") is not None
    is_held_back = bool(withheld) and not plan.send_what_can
    sendable, sendable_bytes = int(findings.get("sendable", 0)), int(findings.get("size_bytes", 0))
    if is_unasked:
        sendable, sendable_bytes = instances - withheld, size_bytes
    return Prospect(
        instances=0 if is_held_back else sendable,
        size_bytes=0 if is_held_back else sendable_bytes,
        best=_best(findings, plan, is_held_back=is_held_back),
        notes=tuple(_notes(findings, plan, is_held_back=is_held_back)),
        can_send_more=is_held_back and sendable > 0,
        is_unasked=is_unasked,
    )


def worst_tone(notes: Iterable[Note]) -> str:
    """Of several notes; "success" where there is none."""
    tones = {note.tone for note in notes}
    return next((tone for tone in ("error", "warning", "info") if tone in tones), "success")


def _withheld(findings: Mapping[str, Any]) -> int:
    """Instances that cannot be sent, whatever is asked for."""
    refused = sum(int(each["instances"]) for each in findings.get("unsendable", ()))
    return refused + int(findings.get("conflicts", 0))


def _best(findings: Mapping[str, Any], plan: Plan, *, is_held_back: bool) -> Best:
    if is_held_back:
        return Best("nothing stored", "Nothing of this study would be sent.")
    if _withheld(findings) and plan.rolls_back:
        return Best("nothing stored", "The study would not be complete there, so what was sent is removed again.")
    if _withheld(findings):
        return Best("partial", "The study would not be complete there.")
    was_empty = plan.verify != "none" and not findings.get("present") and not findings.get("unknown")
    policy = replace(plan.policy, same_uid_means_same_content=True) if was_empty else plan.policy
    best = ceiling(plan.method, policy, plan.verify, asks_commitment=plan.asks_commitment)
    if findings.get("present") and not plan.policy.same_uid_means_same_content:
        sentence = "What is listed there already counts only if it is read back and found to be the same."
        return Best(f"{best.title}, or unverifiable" if best.proof else best.title, sentence)
    return Best(best.title, best.sentence)


def _notes(findings: Mapping[str, Any], plan: Plan, *, is_held_back: bool) -> Iterator[Note]:
    if error := findings.get("error"):
        yield Note("error", f"It could not be asked what it takes: {error['reason']}")
    for each in findings.get("unsendable", ()):
        yield Note("warning", f"{_instances(each['instances'])} cannot be sent. {each['reason']}")
    if conflicts := int(findings.get("conflicts", 0)):
        yield Note("warning", f"The input holds different files for {_instances(conflicts)}. None of them is sent.")
    if is_held_back:
        yield Note("warning", "So the whole study is held back.")
    if present := int(findings.get("present", 0)):
        listed = f"{_instances(present)} {'is' if present == 1 else 'are'} listed there already"
        yield Note("info", f"{listed}{_SAME if plan.policy.same_uid_means_same_content else _COMPARED}")
    if plan.verify != "none" and (unknown := int(findings.get("unknown", 0))):
        yield Note("warning", f"It could not be asked whether it holds {_instances(unknown)} already.")


_SAME = ", which counts as the same content."
_COMPARED = (
    ". Before anything is sent, what is there is read back and compared, if it can be: the same content is not sent "
    "again, and other content holds the study back."
)


def _instances(count: int) -> str:
    return "1 instance" if count == 1 else f"{count:,} instances"
