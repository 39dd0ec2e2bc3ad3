"""Which presentation contexts to propose so that instances can be sent back over the same association (PS3.4 C.4.3)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from transfers.wire.negotiation import MOST_CONTEXTS, ProposedContext
from transfers.wire.presentation_contexts import Encoding
from transfers.wire.retrieve import GET_CONTEXT

_UNCOMPRESSED = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))


@dataclass(frozen=True, slots=True)
class RetrievalPlan:
    """What one association proposes, and which instances may come back over it."""

    contexts: tuple[ProposedContext, ...]
    encodings: frozenset[Encoding]


def plan_retrievals(encodings: Collection[Encoding]) -> tuple[RetrievalPlan, ...]:
    """Return as few plans as hold all encodings; one transfer syntax a context, so that nobody has to choose.

    Of each SOP class the transfer syntaxes that it was sent in come first, then the uncompressed ones, since an
    archive may keep another encoding of the same values.
    """
    plans = []
    held: list[Encoding] = []
    contexts: list[ProposedContext] = []
    for of_class in _by_sop_class(encodings):
        proposed = [*_contexts(of_class)]
        if contexts and len(contexts) + len(proposed) > MOST_CONTEXTS - 1:
            plans.append(_plan(contexts, held))
            contexts, held = [], []
        contexts += proposed
        held += of_class
    return (*plans, _plan(contexts, held)) if held else ()


def _plan(contexts: list[ProposedContext], encodings: list[Encoding]) -> RetrievalPlan:
    return RetrievalPlan((GET_CONTEXT, *contexts[: MOST_CONTEXTS - 1]), frozenset(encodings))


def _by_sop_class(encodings: Collection[Encoding]) -> Iterator[list[Encoding]]:
    for sop_class_uid in sorted({encoding.sop_class_uid for encoding in encodings}):
        yield sorted(encoding for encoding in encodings if encoding.sop_class_uid == sop_class_uid)


def _contexts(of_class: list[Encoding]) -> Iterator[ProposedContext]:
    sop_class_uid = of_class[0].sop_class_uid
    for transfer_syntax in dict.fromkeys([*(each.transfer_syntax_uid for each in of_class), *_UNCOMPRESSED]):
        yield ProposedContext(sop_class_uid, (transfer_syntax,), as_scp=True)
