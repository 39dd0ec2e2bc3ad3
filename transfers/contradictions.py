"""Proofs that deny each other, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from audit.observations import EvidenceKind
from transfers.wording import count_text

_DENIES: Mapping[EvidenceKind, str] = {
    EvidenceKind.ABSENT: "The destination does not list",
    EvidenceKind.COMMITMENT_REFUSED: "Storage commitment denies",
    EvidenceKind.DIFFERENT: "Reading back found other content for",
    EvidenceKind.CONFLICT: "Other content was there before for",
    EvidenceKind.UNREADABLE: "The destination did not hand over",
}
_AFFIRMS: Mapping[EvidenceKind, str] = {
    EvidenceKind.PRESENT: "which the destination lists",
    EvidenceKind.COMMITTED: "to which the destination committed",
    EvidenceKind.IDENTICAL: "read back and found identical",
    EvidenceKind.EQUIVALENT: "read back and found to have the same content",
}


def contradiction_text(denied_by: EvidenceKind, affirmed_by: EvidenceKind, count: int | None = None) -> str:
    """What denies what: "Storage commitment denies 3 instances, which the destination lists"."""
    instances = "instances" if count is None else count_text(count, "instance")
    denies = _DENIES.get(denied_by, "One proof denies")
    return f"{denies} {instances}, {_AFFIRMS.get(affirmed_by, 'which another proof affirms')}"


def contradiction_lines(
    pairs: Iterable[tuple[tuple[EvidenceKind, EvidenceKind], int]], url_of: Callable[[Mapping[str, str]], str]
) -> list[dict[str, Any]]:
    """What denies what with how many instances, each with an address that shows these."""
    return [
        {"text": f"{contradiction_text(*pair, count)}.", "url": url_of({"contradiction": ".".join(pair)})}
        for pair, count in pairs
    ]
