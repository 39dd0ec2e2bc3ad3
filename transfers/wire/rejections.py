"""What an acceptor means by its no, in plain words: PS3.8 9.3.3.2, 9.3.4 and 9.3.8."""

from __future__ import annotations

from transfers.errors import AssociationAborted, AssociationRejected, AssociationRejectedForNow

_TRANSIENT = 2
_REASONS: dict[tuple[int, int], tuple[str, str]] = {
    (1, 1): ("no reason given", "The destination's log may say why; often it does not know our AE title or address."),
    (1, 2): ("application context name not supported", "Check that the port belongs to a DICOM archive."),
    (1, 3): (
        "calling AE title not recognised",
        "Register our AE title “{calling}” at the destination, or use the one that it knows us by.",
    ),
    (1, 7): ("called AE title not recognised", "Check the destination's AE title: it does not call itself “{called}”."),
    (2, 1): ("no reason given by its network layer", "The destination's log may say why."),
    (2, 2): ("protocol version not supported", "Check that the port belongs to a DICOM archive."),
    (3, 1): ("temporary congestion", "Try again later, or use fewer associations."),
    (3, 2): ("local limit exceeded", "It takes no more associations for now: try again later, or use fewer."),
}
_ABORT_REASONS = {
    0: "no reason given",
    1: "it did not recognise a PDU",
    2: "it did not expect a PDU",
    4: "it did not recognise a parameter of a PDU",
    5: "it did not expect a parameter of a PDU",
    6: "it found an invalid value in a PDU",
}
_CONTEXT_RESULTS = {
    1: "refused by its user (no reason given)",
    2: "refused by its network layer (no reason given)",
    3: "the SOP class is not supported there",
    4: "the transfer syntax is not supported there",
}


def rejection(result: int, source: int, reason: int, called: str, calling: str) -> AssociationRejected:
    """Return the error for an A-ASSOCIATE-RJ (PS3.8 9.3.4); only one that may pass by itself is retriable."""
    words, advice = _REASONS.get((source, reason), ("a reason that the standard does not list", "See its log."))
    is_for_now = result == _TRANSIENT or (source == 3 and reason in (1, 2))
    error = AssociationRejectedForNow if is_for_now else AssociationRejected
    return error(
        f"The destination rejected the association: {words} (result {result}, source {source}, reason {reason}). "
        + advice.format(called=called, calling=calling)
    )


def abortion(source: int, reason: int) -> AssociationAborted:
    """Return the error for an A-ABORT (PS3.8 9.3.8)."""
    if source == 2:
        words = _ABORT_REASONS.get(reason, "a reason that the standard does not list")
        return AssociationAborted(
            f"The destination's network layer aborted the association: {words} (source {source}, reason {reason}). "
            "Its log may say more."
        )
    return AssociationAborted(
        f"The destination aborted the association and gave no reason (source {source}, reason {reason}). "
        "Its log says why."
    )


def context_rejection(result: int) -> str:
    """Return why a presentation context was not accepted (PS3.8 9.3.3.2), as part of a sentence."""
    return f"{_CONTEXT_RESULTS.get(result, 'refused for a reason that the standard does not list')} (result {result})"
