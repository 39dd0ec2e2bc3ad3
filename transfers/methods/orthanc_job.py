"""What the methods have in common by which a source Orthanc sends by itself: it is given a job, which we follow."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from audit.entries import ManifestEntry
from audit.observations import Occurrence
from transfers.aliases import Alias, AliasKind, choose
from transfers.methods.base import Preflight, Seen, SendContext
from transfers.methods.orthanc_job_following import JobHandle, jobs_of, may_go_on
from transfers.methods.orthanc_job_sending import JobSending
from transfers.sources.orthanc import OrthancSource
from transfers.wire.http import HttpSession, path_of
from transfers.wire.orthanc_aliases import read_aliases
from transfers.wire.orthanc_jobs import OrthancJobs


class OrthancJobMethod:
    """One job for all instances, by their Orthanc IDs; after a failure a new one for what is missing.

    The alias under which the source knows the destination has to lead to the destination's own address: evidence about
    another archive would be false.
    """

    key: str
    label: str
    kinds: tuple[str, ...]
    sources: tuple[str, ...] = ("orthanc",)
    sender_can_trust = "The job succeeded, and had as many instances as it was given."
    destination_may_trust_stable_study = False
    asks_commitment = False
    keeps_bytes = True

    alias_kind: ClassVar[AliasKind]
    job_types: ClassVar[frozenset[str]]
    """As the source names them."""
    count_member: ClassVar[str] = "InstancesCount"
    """Where such a job tells how many instances it has."""

    @dataclass(frozen=True, slots=True)
    class Options:
        """What may be said for one transfer."""

        alias: str = field(
            default="",
            metadata={
                "help": "the name under which the source knows the destination, where there are several",
                "longest": 128,
            },
        )

    def preflight(self, entries: Sequence[ManifestEntry], context: SendContext) -> Preflight:  # noqa: ARG002
        """Look whether the source has an alias that leads to the destination; sends nothing.

        Raises AliasUnknown, AliasAmbiguous, AliasLeadsElsewhere, AcceleratorMissing, and RequestError where the
        source cannot be asked.
        """
        with HttpSession(source_of(context).endpoint, context.stop) as session:
            self.check_source(session)
            alias = self.chosen_alias(session, context)
        self.check_destination(context)
        return Preflight(occurrences=(_told(alias),))

    def send(self, entries: Sequence[ManifestEntry], context: SendContext) -> Generator[Seen, None, None]:
        """As Method promises. Closing the generator leaves a job to itself, as the end of this process would."""
        if not entries:
            return
        sending = JobSending(self, entries, context, source_of(context).endpoint)
        try:
            yield from sending.run()
        finally:
            sending.close()

    def under_way(self, context: SendContext) -> frozenset[str]:
        """As Outliving promises."""
        handles = jobs_of(context.checkpoints)
        left = [handle for handle in handles if self._may_go_on(handle, context)]
        return frozenset(uid for handle in left for uid in handle.sop_instance_uids)

    def _may_go_on(self, handle: JobHandle, context: SendContext) -> bool:
        endpoint = context.orthanc_endpoint if handle.is_remote else source_of(context).endpoint
        with HttpSession(endpoint, context.stop) as session:
            return may_go_on(OrthancJobs(session), handle, self.job_types)

    def chosen_alias(self, session: HttpSession, context: SendContext) -> Alias:
        """As the options say, among those that the source has now. Raises as `preflight` does."""
        return choose(read_aliases(session, self.alias_kind), self.options(context).alias, context.endpoint)

    def check_source(self, session: HttpSession) -> None:
        """Raise where the source cannot send in this way at all."""

    def check_destination(self, context: SendContext) -> None:
        """Raise where the destination cannot take part."""

    def options(self, context: SendContext) -> Any:
        return self.Options(**context.options)

    def path(self, alias: Alias) -> str:
        """What the job is posted to. Raises RequestRefused for a name that must not be put into a URL."""
        raise NotImplementedError

    def body(self, orthanc_ids: Sequence[str], alias: Alias, context: SendContext) -> Mapping[str, Any]:  # noqa: ARG002
        """What is posted: to exactly these instances, and not `Permissive`."""
        return {"Resources": list(orthanc_ids), "Synchronous": False}

    def afterwards(
        self,
        sending: JobSending,  # noqa: ARG002
        entries: Sequence[ManifestEntry],  # noqa: ARG002
    ) -> Generator[Seen, None, None]:
        """What is to be done once all jobs have ended; `entries` are those that may have been sent."""
        yield from ()


def source_of(context: SendContext) -> OrthancSource:
    assert isinstance(context.source, OrthancSource), "a job needs a source that can send by itself"
    return context.source


def alias_path(folder: str, alias: Alias, action: str) -> str:
    """Raises RequestRefused for a name that must not be put into a URL."""
    return path_of(folder, alias.name, action)


def _told(alias: Alias) -> Occurrence:
    detail: dict[str, Any] = {"alias": alias.name, "leads_to": alias.leads_to}
    if alias.is_chunked is not None:
        detail["chunked_transfers"] = alias.is_chunked
    return Occurrence("source_alias", datetime.now(UTC), detail)
