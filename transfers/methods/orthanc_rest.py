"""POST /instances by us, one request an instance, over kept-alive connections side by side (Orthanc's REST API)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from audit.entries import ManifestEntry
from audit.observations import Occurrence
from transfers.methods.base import Preflight, Seen, SendContext
from transfers.methods.breadth import breadth_option, with_connections
from transfers.methods.http_sending import send_in_requests
from transfers.methods.journal import Journal
from transfers.methods.orthanc_posting import OrthancPosting
from transfers.methods.portions import PortionLimits
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

        requests: int = breadth_option("requests")
        gzip: bool = field(default=False, metadata={"help": "compress what is sent: yes or no"})

    def preflight(self, entries: Sequence[ManifestEntry], context: SendContext) -> Preflight:  # noqa: ARG002  it takes any
        """See that it is an Orthanc, and that it lets us in. Raises RequestError."""
        with HttpSession(context.orthanc_endpoint, context.stop) as session:
            version = Orthanc(session).system()["Version"]
        return Preflight(occurrences=(Occurrence("preflight_request", datetime.now(UTC), {"orthanc": version[:32]}),))

    def send(self, entries: Sequence[ManifestEntry], context: SendContext) -> Generator[Seen, None, None]:
        """As Method promises. Closing the generator ends the requests and the threads."""
        if not entries:
            return
        options = self.Options(**context.options)

        def carrier_of(session: HttpSession, journal: Journal) -> OrthancPosting:
            return OrthancPosting(Orthanc(session), journal, context.spool_folder, is_compressed=options.gzip)

        endpoint = with_connections(context.orthanc_endpoint, options.requests, entries)
        yield from send_in_requests(entries, context, endpoint, PortionLimits(), carrier_of)
