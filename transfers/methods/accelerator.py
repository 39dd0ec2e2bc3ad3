"""The push protocol of Orthanc's transfers accelerator, by us, to an Orthanc that has this plug-in."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from audit.entries import ManifestEntry
from audit.observations import Occurrence
from transfers.errors import AcceleratorMissing
from transfers.methods.base import Preflight, Seen, SendContext
from transfers.methods.breadth import breadth_option
from transfers.methods.push_delivery import Delivery, Wishes, uids_under_way
from transfers.methods.push_halting import Halting
from transfers.wire.accelerator import PLUGIN, Compression
from transfers.wire.http import HttpSession
from transfers.wire.orthanc import Orthanc

LOOK_SECONDS = 0.05
_MEGABYTE = 1024 * 1024


class Accelerator:
    """All instances go into one transaction, of which the destination stores nothing before it is committed.

    The commit stores one instance after another and undoes nothing, so one that was not answered with success may
    have stored any part of them.
    """

    key = "accelerator"
    label = "Transfers accelerator"
    kinds: tuple[str, ...] = ("orthanc",)
    sources: tuple[str, ...] = ("files", "orthanc")
    sender_can_trust = "The push transaction was committed."
    destination_may_trust_stable_study = True
    asks_commitment = False
    keeps_bytes = True

    @dataclass(frozen=True, slots=True)
    class Options:
        """What may be said for one transfer."""

        threads: int = breadth_option("requests", maximum=8)
        compression: str = field(
            default="none",
            metadata={"help": "whether what is sent is compressed on the way", "choices": ("none", "gzip")},
        )
        commit_timeout_seconds: int = field(
            default=600,
            metadata={"help": "how long a commit may take to be answered", "minimum": 1, "maximum": 86_400},
        )
        transaction_megabytes: int = field(
            default=0,
            metadata={
                "help": "how much one transaction holds at most, in place of the whole study",
                "minimum": 1,
                "maximum": 1_000_000,
            },
        )

    def preflight(self, entries: Sequence[ManifestEntry], context: SendContext) -> Preflight:  # noqa: ARG002
        """Ask whether the plug-in is there; it takes whatever Orthanc takes.

        Raises RequestError, and AcceleratorMissing where it is not.
        """
        with HttpSession(context.orthanc_endpoint, context.stop) as session:
            plugins = Orthanc(session).plugins()
        if PLUGIN not in plugins:
            raise AcceleratorMissing(
                "The destination has no transfers accelerator. Enable this plug-in there, or send by orthanc-rest."
            )
        return Preflight(occurrences=(Occurrence("accelerator_found", datetime.now(UTC)),))

    def send(self, entries: Sequence[ManifestEntry], context: SendContext) -> Generator[Seen, None, None]:
        """As Method promises. Closing the generator cuts what is under way, discards the transaction and ends the
        threads.
        """
        if not entries:
            return
        halting = Halting(context.stop)
        delivery = Delivery(entries, context, self._wishes(context), halting)
        try:
            delivery.start()
            while not delivery.ended.wait(LOOK_SECONDS):
                halting.look()
                yield None
                yield from delivery.journal.read()
            yield from delivery.journal.read()
            if delivery.error is not None:
                raise delivery.error
        finally:
            halting.close()
            delivery.journal.close()
            delivery.join()

    def under_way(self, context: SendContext) -> frozenset[str]:
        """As Outliving promises."""
        return uids_under_way(context)

    def _wishes(self, context: SendContext) -> Wishes:
        options = self.Options(**context.options)
        return Wishes(
            threads=options.threads,
            compression=cast(Compression, options.compression),
            commit_seconds=options.commit_timeout_seconds,
            parcel_bytes=options.transaction_megabytes * _MEGABYTE,
        )
