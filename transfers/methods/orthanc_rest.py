"""POST /instances by us, one request an instance, over kept-alive connections side by side (Orthanc's REST API)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event

from audit.entries import ManifestEntry
from audit.observations import Observation, Occurrence
from transfers.methods.base import Preflight, SendContext
from transfers.methods.http_course import HttpCourse
from transfers.methods.http_sender import HttpSender, HttpShop
from transfers.methods.journal import Journal
from transfers.methods.orthanc_posting import OrthancPosting
from transfers.methods.portions import PortionLimits, PortionQueue
from transfers.methods.sending import Sending
from transfers.wire.http import HttpSession
from transfers.wire.orthanc import Orthanc


class OrthancRest:
    """Every instance is a request of its own, answered with what became of it."""

    key = "orthanc-rest"
    label = "Orthanc REST"
    kinds: tuple[str, ...] = ("orthanc",)
    sources: tuple[str, ...] = ("files", "orthanc")
    sender_can_trust = "Every instance was answered with Status Success."
    destination_may_trust_stable_study = False
    asks_commitment = False
    keeps_bytes = True

    @dataclass(frozen=True, slots=True)
    class Options:
        """What may be said for one transfer."""

        requests: int = field(
            default=0,
            metadata={
                "help": "how many requests side by side, in place of the destination's",
                "minimum": 1,
                "maximum": 32,
            },
        )
        gzip: bool = field(default=False, metadata={"help": "compress what is sent: yes or no"})

    def preflight(self, entries: Sequence[ManifestEntry], context: SendContext) -> Preflight:  # noqa: ARG002  it takes any
        """See that it is an Orthanc, and that it lets us in. Raises RequestError."""
        with HttpSession(context.orthanc_endpoint, context.stop) as session:
            version = Orthanc(session).system()["Version"]
        return Preflight(occurrences=(Occurrence("preflight_request", datetime.now(UTC), {"orthanc": version[:32]}),))

    def send(
        self, entries: Sequence[ManifestEntry], context: SendContext
    ) -> Generator[Observation | Occurrence | None, None, None]:
        """As Method promises. Closing the generator ends the requests and the threads."""
        if not entries:
            return
        options = self.Options(**context.options)
        cut, journal = Event(), Journal()
        course, queue = HttpCourse(context.reconnect), PortionQueue(entries, PortionLimits())
        sending = Sending(course, queue, journal, context.stop)
        count = min(options.requests or context.orthanc_endpoint.connections, len(entries))
        with HttpSession(replace(context.orthanc_endpoint, connections=count), cut) as session:
            posting = OrthancPosting(Orthanc(session), journal, context.spool_folder, is_compressed=options.gzip)
            shop = HttpShop(posting, queue, course, journal, context.reconnect, context.source, cut)
            yield from sending.observations([HttpSender(shop, sending.one_ended) for _ in range(count)])
