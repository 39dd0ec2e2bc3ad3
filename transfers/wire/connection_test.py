"""The connection test: does a destination answer, and what would it take? Nothing is sent or stored."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydicom import uid
from pynetdicom import AllStoragePresentationContexts

from transfers.endpoints import DicomEndpoint
from transfers.errors import AssociationError, AssociationRejectedForNow, NoPresentationContext
from transfers.wire.association import Association
from transfers.wire.commitment import COMMITMENT_CONTEXT
from transfers.wire.dimse import FIND_CONTEXT, VERIFICATION_CONTEXT, echo
from transfers.wire.negotiation import MOST_CONTEXTS, ProposedContext
from transfers.wire.retrieve import GET_CONTEXT

STORAGE_SOP_CLASSES = tuple(str(context.abstract_syntax) for context in AllStoragePresentationContexts)
TRANSFER_SYNTAXES = tuple(
    map(
        str,
        (
            uid.ImplicitVRLittleEndian,
            uid.ExplicitVRLittleEndian,
            uid.ExplicitVRBigEndian,
            uid.DeflatedExplicitVRLittleEndian,
            uid.RLELossless,
            uid.JPEGBaseline8Bit,
            uid.JPEGLosslessSV1,
            uid.JPEGLSLossless,
            uid.JPEG2000Lossless,
            uid.JPEG2000,
            uid.MPEG4HP41,
        ),
    )
)
"""The common ones."""

_SERVICES = (VERIFICATION_CONTEXT, FIND_CONTEXT, GET_CONTEXT, COMMITMENT_CONTEXT)
_TRIES = 3
_WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What a destination said of itself."""

    is_reachable: bool = False
    """Whether it accepted an association."""
    echo_status_code: int | None = None
    """Of the C-ECHO; None where none was answered."""
    seconds: float = 0.0
    """From connecting to the answer of the C-ECHO."""
    can_be_listed: bool = False
    """Whether it offers Study Root FIND, by which Tallyman asks afterwards what is there."""
    can_be_read_back: bool = False
    """Whether it offers Study Root GET, by which Tallyman reads back what arrived."""
    can_be_asked_to_commit: bool = False
    """Whether it offers the Storage Commitment Push Model."""
    implementation_version_name: str = ""
    maximum_length: int = 0
    """Of the P-DATA-TF that it takes; 0 means no limit, where it is reachable."""
    accepted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Storage SOP class UID → the transfer syntax UIDs, of the common ones, that it takes instances in."""
    error_code: str = ""
    """Of what went wrong; empty where all could be asked."""
    error: str = ""
    """The same in plain words."""

    @property
    def is_ok(self) -> bool:
        """Whether the destination answered the C-ECHO with success."""
        return self.echo_status_code == 0


def test_connection(endpoint: DicomEndpoint) -> ConnectionReport:
    """Associate, ask for a C-ECHO, and propose the storage SOP classes in the common transfer syntaxes.

    Uses one association after the other. Never raises for a fault of the destination: the report tells it, with
    everything that was found out before.
    """
    found = _Found()
    try:
        _ask_for_echo(endpoint, found)
        for contexts in _proposals():
            _ask_what_is_accepted(endpoint, contexts, found)
    except AssociationError as error:
        found.error = error
    return found.report()


class _Found:
    """The report while it is being made."""

    def __init__(self) -> None:
        self.association: Association | None = None
        self.echo_status_code: int | None = None
        self.seconds = 0.0
        self.accepted: dict[str, tuple[str, ...]] = {}
        self.error: AssociationError | None = None

    def report(self) -> ConnectionReport:
        association, error = self.association, self.error
        return ConnectionReport(
            is_reachable=association is not None,
            echo_status_code=self.echo_status_code,
            seconds=self.seconds,
            can_be_listed=_offers(association, FIND_CONTEXT),
            can_be_read_back=_offers(association, GET_CONTEXT),
            can_be_asked_to_commit=_offers(association, COMMITMENT_CONTEXT),
            implementation_version_name=association.implementation_version_name if association else "",
            maximum_length=association.maximum_length if association else 0,
            accepted=self.accepted,
            error_code=error.code if error else "",
            error=str(error) if error else "",
        )


def _ask_for_echo(endpoint: DicomEndpoint, found: _Found) -> None:
    began_at = time.monotonic()
    with _opened(endpoint, _SERVICES) as association:
        found.association = association
        try:
            found.echo_status_code = echo(association)
        except NoPresentationContext as error:  # odd, but no reason to ask no further
            found.error = error
        found.seconds = time.monotonic() - began_at


def _ask_what_is_accepted(endpoint: DicomEndpoint, contexts: Sequence[ProposedContext], found: _Found) -> None:
    with _opened(endpoint, contexts) as association:
        for context in association.accepted:
            syntaxes = found.accepted.get(context.abstract_syntax, ())
            found.accepted[context.abstract_syntax] = (*syntaxes, context.transfer_syntax)


def _proposals() -> Iterator[list[ProposedContext]]:
    """One transfer syntax a context, so that each is judged by itself; as many as an association may have."""
    contexts = [
        ProposedContext(sop_class, (transfer_syntax,))
        for sop_class in STORAGE_SOP_CLASSES
        for transfer_syntax in TRANSFER_SYNTAXES
    ]
    for start in range(0, len(contexts), MOST_CONTEXTS):
        yield contexts[start : start + MOST_CONTEXTS]


def _opened(endpoint: DicomEndpoint, contexts: Sequence[ProposedContext]) -> Association:
    """An association; one that is refused for the moment is asked for again."""
    for _ in range(_TRIES - 1):
        try:
            return Association.open(endpoint, contexts)
        except AssociationRejectedForNow:
            time.sleep(_WAIT_SECONDS)
    return Association.open(endpoint, contexts)


def _offers(association: Association | None, context: ProposedContext) -> bool:
    return association is not None and association.accepted_context(context.abstract_syntax) is not None
