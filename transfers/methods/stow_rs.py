"""STOW-RS by us, streamed from the files (PS3.18 10.5)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

from audit.entries import ManifestEntry
from audit.observations import Occurrence
from transfers.errors import BodyTooLarge, RequestRefused, ResourceNotFound, ServiceFailed
from transfers.methods.base import Preflight, Seen, SendContext
from transfers.methods.breadth import breadth_option, with_connections
from transfers.methods.http_sending import send_in_requests
from transfers.methods.journal import Journal
from transfers.methods.portions import PortionLimits, PortionQueue
from transfers.methods.stow_request import StowRequest, size_of_file
from transfers.wire.dicomweb import DicomWeb
from transfers.wire.http import HttpSession
from transfers.wire.multipart_body import MultipartBody

CHUNKED, BUFFERED = "chunked", "buffered"
LARGEST_BUFFERED_BYTES = 2**31 - 1
"""What a service holds of one body at most, where it takes it as a whole: its length is kept in 32 bits."""
_CHUNKED_INSTANCES = 64
_FEWEST_CHUNKED_INSTANCES = 8
_CHUNKED_MEGABYTES = 64
_MEGABYTE = 1_000_000
_NO_SEARCH = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_ACCEPTABLE, 501})
"""Of a service that is there and only stores."""
_NOTHING_TO_STORE = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, 422})
"""Of a service that stores, to a request without instances."""


class StowRs:
    """A number of instances a request, several requests side by side."""

    key = "stow-rs"
    label = "STOW-RS"
    kinds: tuple[str, ...] = ("dicomweb",)
    sources: tuple[str, ...] = ("files", "orthanc")
    sender_can_trust = "An answer 200, for the instances that its ReferencedSOPSequence names."
    destination_may_trust_stable_study = False
    asks_commitment = False
    keeps_bytes = True

    @dataclass(frozen=True, slots=True)
    class Options:
        """What may be said for one transfer."""

        body: str = field(
            default=CHUNKED,
            metadata={
                "help": "chunked: stored as it arrives, of any size; buffered: one request of known length, which "
                "is taken apart only once it is whole",
                "choices": (CHUNKED, BUFFERED),
            },
        )
        instances: int = field(
            default=0, metadata={"help": "how many instances a request at most", "minimum": 1, "maximum": 100_000}
        )
        megabytes: int = field(
            default=0, metadata={"help": "how many megabytes a request at most", "minimum": 1, "maximum": 1_000_000}
        )
        requests: int = breadth_option("requests")

        def limits(self, instances: int, requests: int) -> PortionLimits:
            """Of each request for so many instances. A buffered body is one request unless told otherwise; in chunks
            there are as many as go side by side, and more where these would be large.
            """
            if self.body == BUFFERED:
                return PortionLimits(self.instances or instances, self.megabytes * _MEGABYTE or None)
            share = max(_FEWEST_CHUNKED_INSTANCES, min(_CHUNKED_INSTANCES, -(-instances // requests)))
            return PortionLimits(self.instances or share, (self.megabytes or _CHUNKED_MEGABYTES) * _MEGABYTE)

    def preflight(self, entries: Sequence[ManifestEntry], context: SendContext) -> Preflight:
        """Refuse what is too large for one body, and see that the service lets us in.

        Raises BodyTooLarge, RequestError.
        """
        if not entries:
            return Preflight()
        options = self.Options(**context.options)
        if options.body == BUFFERED:
            _check_sizes(entries, options.limits(len(entries), 1))
        with HttpSession(context.dicomweb_endpoint, context.stop) as session:
            offers_search = _lets_us_search(session, entries[0].study_instance_uid)
        detail = {"offers_search": offers_search}
        return Preflight(occurrences=(Occurrence("preflight_request", datetime.now(UTC), detail),))

    def send(self, entries: Sequence[ManifestEntry], context: SendContext) -> Generator[Seen, None, None]:
        """As Method promises. Closing the generator ends the requests and the threads."""
        if not entries:
            return
        options = self.Options(**context.options)
        endpoint = with_connections(context.dicomweb_endpoint, options.requests, entries)
        limits = options.limits(len(entries), endpoint.connections)

        def carrier_of(session: HttpSession, journal: Journal) -> StowRequest:
            return StowRequest(session, journal, is_buffered=options.body == BUFFERED)

        yield from send_in_requests(entries, context, endpoint, limits, carrier_of)


def _lets_us_search(session: HttpSession, study_instance_uid: str) -> bool:
    """Raises RequestError where it is not this service, or refuses us."""
    try:
        DicomWeb(session).search_studies(study_instance_uid)
    except (RequestRefused, ServiceFailed) as error:
        if error.status_code not in _NO_SEARCH:
            raise
        return False
    except ResourceNotFound:
        if not _stores(session):
            raise
        return False
    return True


def _stores(session: HttpSession) -> bool:
    """Whether there is a service behind what is answered with 404: a wrong path is so too when nothing is to be stored.

    Raises RequestError where it refuses us, or does not answer.
    """
    multipart = MultipartBody()
    headers = {"Content-Type": multipart.content_type}
    body = b"".join(multipart.chunks(()))
    try:
        with session.open("POST", "/studies", headers=headers, body=body, accepted=_NOTHING_TO_STORE):
            return True
    except (ResourceNotFound, RequestRefused, ServiceFailed):
        return False


def _check_sizes(entries: Sequence[ManifestEntry], limits: PortionLimits) -> None:
    queue, body = PortionQueue(entries, limits), MultipartBody()
    while portion := queue.take():
        size = body.length([size_of_file(task.entry) for task in portion])
        if size > LARGEST_BUFFERED_BYTES:
            raise BodyTooLarge(
                f"One request would have {size:,} bytes, and a body of known length cannot pass 2 GB. "
                "Send it in chunks (body=chunked), or limit the megabytes a request."
            )
