"""The promise between the presence rules and one way of putting their questions to a destination."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Protocol

from transfers.errors import TransferError, TransferStopped
from transfers.wire.identifiers import Query, Row

STOPPED = "The transfer was stopped before the destination was asked."


class Line(Protocol):
    """Opened, asked one question after another, closed; it may be opened again, by one thread at a time."""

    medium: str
    """What the detail of occurrences calls it: `association`, `session`."""
    opened: str
    """The occurrence that it was opened."""
    lost: str
    """The occurrence that it was lost while it was asked over."""
    service: str
    """What is asked over it, for people: "Study Root FIND" …"""

    def open(self) -> None:
        """Raises TransferError, and is not open then."""
        ...

    def ask(self, query: Query) -> Iterator[Row]:
        """A row for everything the destination names; it ends without an error only where the answer is complete.

        Raises TransferError.
        """
        ...

    def ask_for_copies(self, sop_instance_uids: Sequence[str]) -> Iterator[Row]:
        """A row for every copy of these instances, wherever it is: nothing where the destination does not tell.

        Raises TransferError.
        """
        ...

    def beside(self) -> Sequence[Line]:
        """More of the same, not open, that may be asked while this one is; none where one is all there should be."""
        ...

    def is_lost_by(self, error: TransferError) -> bool:
        """Whether an error of a question is one of the line itself, and other questions would meet it too."""
        ...

    def name_of_failure(self, error: TransferError) -> str:
        """The occurrence that an error of `open` is."""
        ...

    def close(self) -> None:
        """In an orderly way; only called while open."""
        ...

    def abort(self) -> None:
        """At once; only called while open."""
        ...


def read_rows(ask: Callable[[], Iterator[Row]], rows: list[Row], stop: Event) -> TransferError | None:
    """Add what is answered to the rows; returns why that is not all, or None."""
    try:
        for row in ask():
            rows.append(row)
            if stop.is_set():
                return TransferStopped(STOPPED)
    except TransferError as error:
        return error
    return None
