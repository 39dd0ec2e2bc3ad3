"""C-STORE by us, over several associations side by side (PS3.4 B, PS3.7 9.1.1)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from audit.entries import ManifestEntry
from audit.observations import Occurrence
from transfers.methods.base import Preflight, Seen, SendContext
from transfers.methods.breadth import breadth_option
from transfers.methods.sending import Sending
from transfers.methods.store_fleet import Fleet
from transfers.methods.store_journal import StoreJournal
from transfers.methods.store_queue import StoreQueue, encoding_of, plans_for
from transfers.methods.store_sender import Sender
from transfers.methods.store_session import Shop, why_not_accepted
from transfers.wire.association import Association
from transfers.wire.presentation_contexts import AssociationPlan, Encoding
from transfers.wire.stopping import interruption_by


class CStore:
    """Every instance goes out in the transfer syntax that it is in, byte for byte."""

    key = "c-store"
    label = "C-STORE"
    kinds: tuple[str, ...] = ("dicom",)
    sources: tuple[str, ...] = ("files", "orthanc")
    sender_can_trust = "Every C-STORE was answered with success, where the destination answers only after saving."
    destination_may_trust_stable_study = False
    asks_commitment = False
    keeps_bytes = False

    @dataclass(frozen=True, slots=True)
    class Options:
        """What may be said for one transfer."""

        associations: int = breadth_option("associations")

    def preflight(self, entries: Sequence[ManifestEntry], context: SendContext) -> Preflight:
        """Open the associations of the plan, one after another, and see what would not be accepted.

        Raises AssociationError where one of them cannot be opened, AssociationInterrupted soon after a stop.
        """
        reasons: dict[Encoding, str] = {}
        occurrences = []
        with interruption_by(context.stop) as interruption:
            for plan in plans_for(entries):
                with Association.open(context.dicom_endpoint, plan.contexts, interruption) as association:
                    reasons |= _refused_encodings(plan, association)
                    occurrences.append(_asked(association))
        unsendable = {
            entry.sop_instance_uid: reasons[encoding_of(entry)] for entry in entries if encoding_of(entry) in reasons
        }
        return Preflight(unsendable, occurrences=tuple(occurrences))

    def send(self, entries: Sequence[ManifestEntry], context: SendContext) -> Generator[Seen, None, None]:
        """As Method promises. Closing the generator aborts the associations and ends the threads."""
        if not entries:
            return
        queue, journal = StoreQueue(entries), StoreJournal()
        fleet = Fleet(context.reconnect, queue)
        sending = Sending(fleet, queue, journal, context.stop)
        shop = Shop(queue, fleet, journal, context.reconnect, context.source)
        associations = self.Options(**context.options).associations or context.dicom_endpoint.associations
        count = max(1, min(associations, len(entries)))
        yield from sending.observations([Sender(shop, context.dicom_endpoint, sending.one_ended) for _ in range(count)])


def _refused_encodings(plan: AssociationPlan, association: Association) -> dict[Encoding, str]:
    accepted = {(context.abstract_syntax, context.transfer_syntax) for context in association.accepted}
    return {
        encoding: why_not_accepted(encoding, association) for encoding in plan.encodings if encoding not in accepted
    }


def _asked(association: Association) -> Occurrence:
    detail = {
        "accepted_contexts": len(association.accepted),
        "rejected_contexts": len(association.rejected),
        "maximum_length": association.maximum_length,
    }
    return Occurrence("preflight_association", datetime.now(UTC), detail)
