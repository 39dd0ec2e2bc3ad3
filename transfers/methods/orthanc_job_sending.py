"""One send by jobs of a source: those of an earlier process are followed to their end, then new ones are posted."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation, Occurrence
from transfers.aliases import Alias
from transfers.endpoints import OrthancEndpoint
from transfers.errors import (
    CredentialsRefused,
    RedirectRefused,
    RequestRefused,
    RequestTlsFailed,
    ResourceNotFound,
    ServiceAddressUnknown,
    ServiceBusy,
    ServiceUnreachable,
    TransferError,
    TransferStopped,
)
from transfers.methods.base import Checkpoint, Seen, SendContext
from transfers.methods.orthanc_job_calls import Calls
from transfers.methods.orthanc_job_following import Following, JobHandle, jobs_of
from transfers.methods.orthanc_job_outcome import Outcome, lost
from transfers.methods.orthanc_job_plan import JobPlan
from transfers.methods.orthanc_job_stock import unsendable
from transfers.wire.orthanc import Orthanc
from transfers.wire.orthanc_jobs import OrthancJobs, PostedJob

if TYPE_CHECKING:
    from transfers.methods.orthanc_job import OrthancJobMethod

_NOT_BEGUN = (
    CredentialsRefused,
    RedirectRefused,
    RequestRefused,
    RequestTlsFailed,
    ResourceNotFound,
    ServiceAddressUnknown,
    ServiceUnreachable,
)
"""After these the source has begun no job; after any other fault of posting one it may have."""


@dataclass(frozen=True, slots=True)
class _Posted:
    """What posting a job came to: a job, or an error."""

    job: PostedJob | None = None
    error: TransferError | None = None


class JobSending:
    """What `OrthancJobMethod.send` does, once."""

    def __init__(
        self,
        method: OrthancJobMethod,
        entries: Sequence[ManifestEntry],
        context: SendContext,
        source: OrthancEndpoint,
    ) -> None:
        self.context = context
        self.calls = Calls(context.stop)
        self.alias: Alias | None = None
        """Once it was read from the source."""
        self._method = method
        self._source_endpoint = source
        self._entries = {entry.sop_instance_uid: entry for entry in entries}
        self._plan = JobPlan(entries, context.reconnect)
        self._begun: dict[str, Outcome] = {}
        """What the last job said of each instance that may have been sent, by SOP Instance UID."""
        self._left: dict[JobHandle, None] = {}
        """Jobs of whose end nobody knows, in the order of their beginnings."""
        self._why_not: TransferError | None = None
        """Why nothing more is sent."""

    def run(self) -> Generator[Seen, None, None]:
        try:
            self.source = OrthancJobs(self.calls.session(self._source_endpoint))
        except RequestTlsFailed as error:
            self._why_not = error
        else:
            yield from self._follow_earlier_jobs()
            yield from self._send()
        yield from self._tell_of_the_rest()
        for handle in self._left:
            yield Checkpoint("job", handle.as_json(), outlives_send=True)
        left = {uid for handle in self._left for uid in handle.sop_instance_uids}
        # What may be on its way is not asked about: that it is not there yet would prove nothing.
        begun = [self._entries[uid] for uid in self._begun if uid not in left]
        if begun:
            yield from self._method.afterwards(self, begun)

    def close(self) -> None:
        self.calls.close()

    def current_alias(self) -> Generator[Seen, None, Alias]:
        """As the source has it now. Raises TransferError."""
        return (yield from self.calls.run(lambda: self._method.chosen_alias(self.source.session, self.context)))

    def _send(self) -> Generator[Seen, None, None]:
        while self._why_not is None and (batch := self._plan.next_batch()):
            yield from self.calls.pause(self._plan.wait_seconds)
            if self.context.stop.is_set():
                self._why_not = TransferStopped()
                return
            yield from self._send_batch(batch)

    def _send_batch(self, batch: Sequence[ManifestEntry]) -> Generator[Seen, None, None]:
        try:
            batch = yield from self._prepared(batch)
        except TransferError as error:
            yield from self._not_begun(error)
            return
        if not batch or self.context.stop.is_set():
            return
        posted = yield from self._post(batch)
        if posted.job is not None:
            handle = self._handle_of(posted.job, batch)
            yield Checkpoint("job", handle.as_json())
            outcome = yield from self._follow(handle)
            yield from self._conclude(batch, outcome)
        elif isinstance(posted.error, _NOT_BEGUN):
            yield from self._not_begun(posted.error)
        elif posted.error is not None:
            self._left[self._handle_of(PostedJob("", is_remote=self._is_pulled), batch)] = None
            yield from self._unclear(batch, posted.error)

    def _unclear(self, batch: Sequence[ManifestEntry], error: TransferError) -> Iterator[Seen]:
        """The source may have begun a job. One that is busy hardly has, but a gateway may say so in its place."""
        if isinstance(error, ServiceBusy):
            outcome = lost(error)
            first = [entry for entry in batch if entry.sop_instance_uid not in self._begun]
            self._begun |= {entry.sop_instance_uid: outcome for entry in first}
            yield from _observed(first, outcome.kind, {**outcome.detail, "will_be_sent_again": True})
            yield from self._not_begun(error)
            return
        yield _occurred("job_unclear", error)
        yield from self._conclude(batch, lost(error))

    def _prepared(self, batch: Sequence[ManifestEntry]) -> Generator[Seen, None, list[ManifestEntry]]:
        """What of it the source can send still, and by which alias. Raises TransferError."""
        self.alias = yield from self.current_alias()
        orthanc = Orthanc(self.source.session)
        lacking = yield from self.calls.run(lambda: unsendable(orthanc, batch))
        yield from self._tell_of_lacking(lacking)
        return [entry for entry in batch if entry.sop_instance_uid not in lacking]

    def _post(self, batch: Sequence[ManifestEntry]) -> Generator[Seen, None, _Posted]:
        assert self.alias is not None
        alias = self.alias
        try:
            path = self._method.path(alias)
            body = self._method.body([entry.source_id for entry in batch], alias, self.context)
            posted = yield from self.calls.run(lambda: self.source.post(path, body))
        except TransferError as error:
            return _Posted(error=error)
        return _Posted(posted)

    def _handle_of(self, job: PostedJob, batch: Sequence[ManifestEntry]) -> JobHandle:
        return JobHandle(job.job_id, job.is_remote, tuple(entry.sop_instance_uid for entry in batch))

    @property
    def _is_pulled(self) -> bool:
        return self.alias is not None and self.alias.is_pulled

    def _follow(self, handle: JobHandle) -> Generator[Seen, None, Outcome]:
        outcome = yield from self._followed(handle)
        if outcome.may_go_on:
            self._left[handle] = None
        return outcome

    def _followed(self, handle: JobHandle) -> Generator[Seen, None, Outcome]:
        try:
            where = self.source if not handle.is_remote else self._at_destination()
        except RequestTlsFailed as error:
            return lost(error)
        following = Following(where, handle, self.calls, self.context)
        return (yield from following.run(self._method.job_types, self._method.count_member))

    def _at_destination(self) -> OrthancJobs:
        return OrthancJobs(self.calls.session(self.context.orthanc_endpoint))

    def _follow_earlier_jobs(self) -> Generator[Seen, None, None]:
        """Of a process that ended meanwhile: to their end, so that nothing is sent twice at once."""
        for handle in jobs_of(self.context.checkpoints):
            if not handle.job_id:  # whoever asks afterwards looks whether it may be under way still
                self._left[handle] = None
                continue
            outcome = yield from self._follow(handle)
            waiting = self._plan.waiting_uids()
            covered = [self._entries[uid] for uid in handle.sop_instance_uids if uid in waiting]
            yield from self._conclude(covered, outcome)

    def _conclude(self, batch: Sequence[ManifestEntry], outcome: Outcome) -> Iterator[Seen]:
        """Say what became of the instances of a job, and plan what is to be sent again."""
        if not batch:
            return
        self._begun |= {entry.sop_instance_uid: outcome for entry in batch}
        if outcome.is_success:
            self._plan.succeeded(batch)
            yield from _observed(batch, outcome.kind, outcome.detail)
            return
        if self.context.stop.is_set() or not outcome.may_pass:
            self._why_not = self._why_not or (TransferStopped() if self.context.stop.is_set() else outcome.error)
            return
        missing = {entry.sop_instance_uid for entry in self.context.missing(batch)}
        final = self._plan.broke_off(batch, missing, is_final=outcome.is_about_each)
        yield from _observed(final, outcome.kind, outcome.detail)
        final_uids = {entry.sop_instance_uid for entry in final}
        again = [entry for entry in batch if entry.sop_instance_uid not in final_uids]
        if not self._plan.has_given_up:
            yield from _observed(again, EvidenceKind.NO_ANSWER, {**outcome.detail, "will_be_sent_again": True})
        yield None

    def _not_begun(self, error: TransferError) -> Iterator[Seen]:
        """The source says that it began no job. What it does not know, it may have lost this moment: it is looked at
        once more.
        """
        self._plan.not_begun()
        yield _occurred("job_refused", error)
        is_final = not error.retriable and not isinstance(error, ResourceNotFound)
        if is_final or self._plan.has_given_up:
            self._why_not = error

    def _tell_of_lacking(self, lacking: Mapping[str, TransferError]) -> Iterator[Seen]:
        """What the source cannot send any more; it may have been sent by a job before."""
        for uid, why in lacking.items():
            if outcome := self._begun.get(uid):
                yield from _observed([self._entries[uid]], outcome.kind, outcome.detail)
            else:
                yield from _observed([self._entries[uid]], EvidenceKind.NOT_SENT, _detail_of(why))
        self._plan.settle(lacking.keys())

    def _tell_of_the_rest(self) -> Iterator[Seen]:
        """Of what was in a job, what that said last; of the others why they were not sent."""
        error = self._why_not or TransferStopped()
        for entry in self._plan.take_all():
            if outcome := self._begun.get(entry.sop_instance_uid):
                yield from _observed([entry], outcome.kind, outcome.detail)
            else:
                yield from _observed([entry], EvidenceKind.NOT_SENT, _detail_of(error))


def _detail_of(error: TransferError) -> dict[str, Any]:
    return {"code": error.code, "reason": str(error)}


def _occurred(name: str, error: TransferError) -> Occurrence:
    return Occurrence(name, datetime.now(UTC), _detail_of(error))


def _observed(entries: Iterable[ManifestEntry], kind: EvidenceKind, detail: Mapping[str, Any]) -> Iterator[Observation]:
    now = datetime.now(UTC)
    for entry in entries:
        yield Observation(entry.sop_instance_uid, kind, now, detail)
