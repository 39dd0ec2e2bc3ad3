"""A sender: a thread that makes requests, one after another, until nothing is left to be sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from transfers.errors import (
    AccessTokenRefused,
    RequestError,
    RequestInterrupted,
    RequestTlsFailed,
    ServiceAddressUnknown,
    ServiceBusy,
    ServiceUnreachable,
    SourceError,
)
from transfers.methods.base import ReconnectPolicy
from transfers.methods.http_course import HttpCourse
from transfers.methods.journal import Journal
from transfers.methods.portions import PortionQueue
from transfers.methods.sending import SenderThread
from transfers.methods.task import SendTask
from transfers.sources.base import InstanceReaders, InstanceSource

_NOT_BEGUN = (ServiceUnreachable, ServiceAddressUnknown, RequestTlsFailed)
"""There was no connection, so nothing was written."""
_NOT_ABOUT_IT = (ServiceBusy, AccessTokenRefused)
"""Whatever had been in the request, the service would have answered so."""


class InstanceBroke(Exception):
    """An instance of a request could not be read to its end, so the request was broken off before its own end.

    What of the request was written cannot have been understood as the whole of that instance.
    """

    def __init__(self, task: SendTask, error: SourceError, before: Sequence[SendTask] = ()) -> None:
        super().__init__(str(error))
        self.task = task
        self.error = error
        self.before = before
        """Those of the same request that had been written by then."""


class TooMuchAtOnce(Exception):
    """The service takes no request as large as this one; a smaller one it may."""

    def __init__(self, error: RequestError) -> None:
        super().__init__(str(error))
        self.error = error


class Carrier(Protocol):
    """How a portion goes out in one request."""

    def carry(self, portion: Sequence[SendTask], readers: InstanceReaders, number: int) -> None:
        """Send it, and write into the journal what was answered of each; returns only if it was answered.

        Raises RequestError where there was no answer of use, InstanceBroke, TooMuchAtOnce where there are several
        instances in it, and SourceError where nothing was begun.
        """
        ...


@dataclass(frozen=True, slots=True)
class HttpShop:
    """What the senders of one send share."""

    carrier: Carrier
    queue: PortionQueue
    course: HttpCourse
    journal: Journal
    policy: ReconnectPolicy
    source: InstanceSource
    cut: Event
    """Once set, whatever is under way is ended at once."""


class HttpSender(SenderThread):
    """Ends by itself once nothing is left to do."""

    def __init__(self, shop: HttpShop, on_end: Callable[[], None]) -> None:
        super().__init__(name="http-sender", daemon=True)
        self._shop = shop
        self._on_end = on_end

    def interrupt(self) -> None:
        self._shop.cut.set()

    def run(self) -> None:
        try:
            with self._shop.source.readers(self._shop.cut) as readers:
                while self._serve(readers):
                    pass
        except BaseException as error:  # noqa: BLE001  handed to the thread that reads the journal
            self.error = error
            self._shop.course.stop()
        finally:
            self._on_end()

    def _serve(self, readers: InstanceReaders) -> bool:
        """Make a request; whether there may be another."""
        shop = self._shop
        number = shop.course.await_turn()
        if number is None:
            return False
        while not shop.journal.has_room() and not shop.course.is_over:
            shop.journal.wait_for_room()
        portion = shop.queue.take()
        if not portion:
            return False
        begun_at = time.monotonic()
        try:
            shop.carrier.carry(portion, readers, number)
        except InstanceBroke as broke:
            self._broke(portion, broke, number)
        except TooMuchAtOnce as refusal:
            self._too_much(portion, refusal.error, number)
        except SourceError as error:
            self._not_begun(portion, error)
        except RequestError as error:
            self._lost(portion, error, number, begun_at)
        else:
            shop.course.answered()
        return True

    def _broke(self, portion: Sequence[SendTask], broke: InstanceBroke, number: int) -> None:
        """The one is not sent; of the others the destination may have taken those before it."""
        journal = self._shop.journal
        journal.not_sent(broke.task, broke.error)
        detail = {"request": number, "code": broke.error.code, "reason": str(broke.error)}
        journal.occurred("request_broken_off", detail)
        for task in broke.before:
            task.losses = max(task.losses, 1)
            journal.no_answer(task, broke.error, will_be_sent_again=True)
        if others := [task for task in portion if task is not broke.task]:
            self._shop.queue.put_last(others)

    def _too_much(self, portion: Sequence[SendTask], error: RequestError, number: int) -> None:
        """Sent again in halves, and what comes after it in smaller requests too."""
        shop = self._shop
        shop.course.answered()
        shop.journal.occurred("request_too_large", {"request": number, "instances": len(portion), "reason": str(error)})
        shop.queue.limit_to(len(portion) // 2)
        for task in portion:
            task.losses = max(task.losses, 1)
            shop.journal.no_answer(task, error, will_be_sent_again=True)
        self._put_halves_last(portion)

    def _not_begun(self, portion: Sequence[SendTask], error: SourceError) -> None:
        for task in portion:
            self._shop.journal.not_sent(task, error)

    def _lost(self, portion: Sequence[SendTask], error: RequestError, number: int, begun_at: float) -> None:
        shop = self._shop
        if isinstance(error, RequestInterrupted):
            for task in portion:
                shop.journal.no_answer(task, error, will_be_sent_again=False)
            return
        shop.course.failed(error, begun_at)
        detail = {"request": number, "code": error.code, "reason": str(error), "failures": shop.course.failures}
        shop.journal.occurred("request_failed", detail | {"instances": len(portion)})
        if isinstance(error, _NOT_BEGUN):
            shop.queue.give_back(portion)
        else:
            self._put_back(portion, error)

    def _put_back(self, portion: Sequence[SendTask], error: RequestError) -> None:
        """Sent again as it was; where that is lost too in halves, until the instance that is to blame stands alone."""
        shop = self._shop
        if isinstance(error, _NOT_ABOUT_IT):
            self._put_back_unchanged(portion, error)
            return
        is_alone = len(portion) == 1
        losses = portion[0].losses + 1
        again = not shop.course.is_over and not (is_alone and losses >= shop.policy.losses_per_instance)
        for task in portion:
            task.losses = losses if is_alone else min(losses, shop.policy.losses_per_instance - 1)
            shop.journal.no_answer(task, error, will_be_sent_again=again)
        if not again:
            return
        if losses >= shop.policy.losses_per_instance and not is_alone:
            self._put_halves_last(portion)
        else:
            shop.queue.put_last(portion)

    def _put_back_unchanged(self, portion: Sequence[SendTask], error: RequestError) -> None:
        again = not self._shop.course.is_over
        for task in portion:
            task.losses = max(task.losses, 1)
            self._shop.journal.no_answer(task, error, will_be_sent_again=again)
        if again:
            self._shop.queue.put_last(portion)

    def _put_halves_last(self, portion: Sequence[SendTask]) -> None:
        middle = len(portion) // 2
        for half in (portion[:middle], portion[middle:]):
            self._shop.queue.put_last(half)
