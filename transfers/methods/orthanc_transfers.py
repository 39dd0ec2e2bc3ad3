"""A source Orthanc sends by the transfers accelerator, a plug-in that both Orthancs have: POST /transfers/send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from transfers.aliases import Alias, AliasKind
from transfers.errors import AcceleratorMissing
from transfers.methods.base import SendContext
from transfers.methods.orthanc_job import OrthancJobMethod
from transfers.wire.http import HttpSession
from transfers.wire.orthanc import Orthanc
from transfers.wire.orthanc_aliases import ACCELERATOR


class OrthancTransfers(OrthancJobMethod):
    """The source pushes; or where its entry for the peer has RemoteSelf the destination pulls, and the job lives there.

    Nothing appears before the commit, which stores instance by instance and is not rolled back where it breaks off.
    """

    key = "orthanc-transfers"
    label = "Transfers accelerator, by the source"
    kinds: tuple[str, ...] = ("orthanc",)
    sender_can_trust = "The job succeeded, and had as many instances as it was given; its 200 only means queued."
    destination_may_trust_stable_study = True

    alias_kind = AliasKind.ACCELERATED_PEER
    job_types = frozenset({"PushTransfer", "PullTransfer"})
    count_member = "TotalInstances"

    @dataclass(frozen=True, slots=True)
    class Options(OrthancJobMethod.Options):
        """What may be said for one transfer."""

        compression: str = field(
            default="none",
            metadata={"help": "whether what is sent is compressed on its way", "choices": ("none", "gzip")},
        )

    def check_source(self, session: HttpSession) -> None:
        """Raises AcceleratorMissing."""
        if ACCELERATOR not in Orthanc(session).plugins():
            raise AcceleratorMissing("The source lacks the transfers accelerator: enable the plug-in there.")

    def check_destination(self, context: SendContext) -> None:
        """The source's own list calls a peer disabled where another one did not answer: the peer itself is asked.

        Raises AcceleratorMissing, and RequestError where the destination cannot be asked.
        """
        with HttpSession(context.orthanc_endpoint, context.stop) as session:
            if ACCELERATOR not in Orthanc(session).plugins():
                raise AcceleratorMissing("The destination lacks the transfers accelerator: enable the plug-in there.")

    def path(self, alias: Alias) -> str:  # noqa: ARG002
        return "/transfers/send"

    def body(self, orthanc_ids: Sequence[str], alias: Alias, context: SendContext) -> Mapping[str, Any]:
        return {
            "Resources": [{"Level": "Instance", "ID": each} for each in orthanc_ids],
            "Compression": self.options(context).compression,
            "Peer": alias.name,
        }
