"""Whether what a transfer brought to a destination can be removed there again, and through which of its sides."""

from __future__ import annotations

from datetime import datetime

from transfers.models import Destination, Transfer

_DELETING = frozenset({"orthanc", "dicomweb"})


class CannotRollBack(Exception):
    """This destination offers no way to remove instances: name its Orthanc or DICOMweb side with --ask-at."""


def deleting_side(destination: Destination) -> Destination | None:
    """The destination or another entry for the same archive, by which instances can be removed; None: there is none."""
    sides = [destination, *destination.ask_at.all()]
    return next((side for side in sides if side.kind in _DELETING), None)


def check_can_roll_back(destination: Destination, verify: str = "presence") -> None:
    """Raises CannotRollBack, with the reason, where all or nothing cannot be promised."""
    if deleting_side(destination) is None:
        raise CannotRollBack(
            f"{destination} offers no way to remove instances: C-STORE has none. Where it is an Orthanc, or has a "
            "DICOMweb side that takes DELETE, add that as a destination and name it with --ask-at."
        )
    if verify == "none":
        raise CannotRollBack(
            "Without asking what is there before and afterwards (--verify none) nobody knows what may be removed."
        )


def check_is_same_archive(transfer: Transfer) -> None:
    """Raises CannotRollBack where the way to remove leads elsewhere than when the transfer was made.

    What was not there before was not there at the archive of that time; at another one the same instances may have
    been for years. A side that was added since is taken, for then somebody has just said that it is the same archive.
    """
    destination = transfer.destination
    side = deleting_side(destination)
    is_elsewhere = transfer.audit.destination_address != destination.address
    if side is not None and (is_elsewhere or _was_repointed(side, transfer) or _was_exchanged(side, transfer)):
        raise CannotRollBack(
            f"{side} was not the same address when this transfer was made, or another one stood for it: nobody knows "
            "what was there before. Nothing is removed."
        )


def _was_repointed(side: Destination, transfer: Transfer) -> bool:
    before = side.history.filter(history_date__lte=transfer.created_at).first()
    if before is None:
        return False
    since = side.history.filter(history_date__gt=transfer.created_at)
    return any((each.kind, each.url) != (side.kind, side.url) for each in (before, *since))


def _was_exchanged(side: Destination, transfer: Transfer) -> bool:
    """Whether something else could have removed it then."""
    destination = transfer.destination
    before = _sides_at(destination, transfer.created_at)
    could_remove = Destination.objects.filter(pk__in=before, kind__in=_DELETING).exists()
    return side != destination and could_remove and side.pk not in before


def _sides_at(destination: Destination, at: datetime) -> set[int]:
    """The keys of its sides then."""
    then = destination.history.filter(history_date__lte=at).first()
    return set(then.ask_at.values_list("to_destination_id", flat=True)) if then is not None else set()
