"""The plan: which presentation contexts to propose, over how many associations, for the instances of a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from transfers.wire.negotiation import MOST_CONTEXTS, ProposedContext

_UNCOMPRESSED = frozenset(
    map(str, (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian))
)


class Encoding(NamedTuple):
    """What decides the presentation context of an instance."""

    sop_class_uid: str
    transfer_syntax_uid: str

    def __str__(self) -> str:
        return f"{uid_name(self.sop_class_uid)} in {uid_name(self.transfer_syntax_uid)}"


@dataclass(frozen=True, slots=True)
class AssociationPlan:
    """What one association proposes, and which instances may go over it."""

    contexts: tuple[ProposedContext, ...]
    encodings: frozenset[Encoding]


def plan_associations(counts: Mapping[Encoding, int]) -> tuple[AssociationPlan, ...]:
    """Return as few plans as hold all encodings, the most frequent first; one transfer syntax a context.

    Each instance goes out in the transfer syntax that it is in, so an acceptor must not choose between several.
    Implicit VR Little Endian is proposed too for SOP classes that have uncompressed instances (PS3.5 10.1), where
    room is left; no instance in another transfer syntax is ever sent over such a context.
    """
    ordered = sorted(counts, key=lambda encoding: (-counts[encoding], encoding))
    chunks = [ordered[start : start + MOST_CONTEXTS] for start in range(0, len(ordered), MOST_CONTEXTS)]
    return tuple(_plan(chunk) for chunk in chunks)


def uid_name(uid: str) -> str:
    """Return the name that PS3.6 gives to a UID, or the UID itself."""
    return str(UID(uid).name)


def _plan(encodings: list[Encoding]) -> AssociationPlan:
    proposed = [*encodings, *_default_encodings(encodings)][:MOST_CONTEXTS]
    contexts = tuple(ProposedContext(uid, (transfer_syntax,)) for uid, transfer_syntax in proposed)
    return AssociationPlan(contexts, frozenset(encodings))


def _default_encodings(encodings: list[Encoding]) -> list[Encoding]:
    uncompressed = [encoding for encoding in encodings if encoding.transfer_syntax_uid in _UNCOMPRESSED]
    defaults = dict.fromkeys(Encoding(encoding.sop_class_uid, ImplicitVRLittleEndian) for encoding in uncompressed)
    return [encoding for encoding in defaults if encoding not in encodings]
