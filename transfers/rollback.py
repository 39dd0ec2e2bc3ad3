"""Whether what a transfer brought to a destination can be removed there again, and through which of its sides."""

from __future__ import annotations

from transfers.models import Destination

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
