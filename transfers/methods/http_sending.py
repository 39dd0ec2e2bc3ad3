"""A send over HTTP: requests side by side, each with a portion of what is to be sent."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from threading import Event

from audit.entries import ManifestEntry
from transfers.endpoints import HttpEndpoint
from transfers.methods.base import Seen, SendContext
from transfers.methods.http_course import HttpCourse
from transfers.methods.http_sender import Carrier, HttpSender, HttpShop
from transfers.methods.journal import Journal
from transfers.methods.portions import PortionLimits, PortionQueue
from transfers.methods.sending import Sending
from transfers.wire.http import HttpSession


def send_in_requests(
    entries: Sequence[ManifestEntry],
    context: SendContext,
    endpoint: HttpEndpoint,
    limits: PortionLimits,
    carrier_of: Callable[[HttpSession, Journal], Carrier],
) -> Generator[Seen, None, None]:
    """As Method.send promises, of at least one entry, over as many connections as the endpoint says.

    Closing the generator ends the requests and the threads.
    """
    cut, journal = Event(), Journal()
    course, queue = HttpCourse(context.reconnect), PortionQueue(entries, limits)
    sending = Sending(course, queue, journal, context.stop)
    with HttpSession(endpoint, cut) as session:
        shop = HttpShop(carrier_of(session, journal), queue, course, journal, context.reconnect, context.source, cut)
        yield from sending.observations([HttpSender(shop, sending.one_ended) for _ in range(endpoint.connections)])
