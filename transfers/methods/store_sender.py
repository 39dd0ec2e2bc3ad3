"""A sender: a thread that opens associations, one at a time, and sends over them until nothing is left."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from transfers.endpoints import DicomEndpoint
from transfers.errors import (
    AssociationError,
    AssociationInterrupted,
    AssociationRejected,
    AssociationTimedOut,
    SourceError,
    TransferError,
)
from transfers.methods.sending import SenderThread
from transfers.methods.store_fleet import Turn
from transfers.methods.store_session import Shop, StoreSession
from transfers.sources.base import InstanceReaders
from transfers.wire.association import Association
from transfers.wire.waiting import Interruption


class Sender(SenderThread):
    """Ends by itself once nothing is left to do."""

    def __init__(self, shop: Shop, endpoint: DicomEndpoint, on_end: Callable[[], None]) -> None:
        super().__init__(name="c-store-sender", daemon=True)
        self._shop = shop
        self._endpoint = endpoint
        self._on_end = on_end
        self.interruption = Interruption()
        self._stop_reading = Event()

    def interrupt(self) -> None:
        """End at once whatever it waits for."""
        self._stop_reading.set()
        self.interruption.set()

    def close(self) -> None:
        self.interruption.close()

    def run(self) -> None:
        try:
            with self._shop.source.readers(self._stop_reading) as readers:
                while self._serve(readers):
                    pass
        except BaseException as error:  # noqa: BLE001  # handed to the thread that reads the journal
            self.error = error
            self._shop.fleet.stop()
        finally:
            self._on_end()

    def _serve(self, readers: InstanceReaders) -> bool:
        """Open an association and send over it; whether it makes sense to do so again."""
        fleet, queue = self._shop.fleet, self._shop.queue
        turn = fleet.await_turn(self.interruption)
        if turn is None:
            return False
        plan = queue.fullest_plan() or 0
        number = fleet.next_number()
        try:
            association = Association.open(self._endpoint, queue.plans[plan].contexts, self.interruption)
        except AssociationError as error:
            self._record_failure(error, turn, number)
            return fleet.open_failed(turn, self.interruption, error)
        if not fleet.opened(turn, self.interruption):
            association.abort()
            return False
        self._shop.journal.opened(association, number)
        self._use(StoreSession(self._shop, association, number, plan, readers), association, number)
        return True

    def _use(self, session: StoreSession, association: Association, number: int) -> None:
        fleet, journal = self._shop.fleet, self._shop.journal
        lost: AssociationError | None = None
        try:
            session.run()
        except SourceError as error:
            association.abort()
            journal.failed("association_aborted_by_us", error, number, answers=session.answers)
        except AssociationError as error:
            association.abort()
            lost = error
            journal.failed(_how_lost(error), error, number, answers=session.answers, failures=fleet.failures)
        except BaseException:
            association.abort()
            raise
        else:
            association.release()
            journal.occurred("association_released", {"association": number, "answers": session.answers})
        finally:
            fleet.ended(lost, had_answers=session.answers > 0)

    def _record_failure(self, error: AssociationError, turn: Turn, number: int) -> None:
        if not isinstance(error, AssociationInterrupted):
            is_extra = turn is Turn.EXTRA
            failures = self._shop.fleet.failures
            self._shop.journal.failed(_why_not_opened(error), error, number, extra=is_extra, failures=failures)


def _why_not_opened(error: TransferError) -> str:
    if isinstance(error, AssociationRejected):
        return "association_rejected"
    if isinstance(error, AssociationTimedOut):
        return "association_timed_out"
    return "association_failed"


def _how_lost(error: TransferError) -> str:
    return "association_interrupted" if isinstance(error, AssociationInterrupted) else "association_lost"
