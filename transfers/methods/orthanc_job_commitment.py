"""Has a source ask a modality to commit to what it was sent, and reads the report that the source was given.

What the report lists is compared with what we asked: Orthanc calls a report that leaves instances out a success, and
takes one from whoever sends it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from audit.chunks import chunks
from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation, Occurrence
from transfers.aliases import Alias
from transfers.errors import RequestError, ResourceNotFound, ServiceFailed, TransferError, TransferStopped
from transfers.failure_reasons import DENYING, failure_reason_text
from transfers.methods.base import Seen, SendContext
from transfers.methods.orthanc_job_calls import Calls
from transfers.wire.orthanc_jobs import CommitmentAnswer, OrthancJobs

ASKED_AT_ONCE = 1000
_FIRST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS, _LOOKS_EACH = 0.05, 1.0, 0.1
_LOST = "The source does not know of the report any more: it keeps reports in memory only"
_WRONG_AE_TITLE = "The report came to the source from another AE title than the one that was asked"
_OTHER_SOP_CLASS = "It committed to this SOP Instance UID under another SOP class: what it holds is something else"

_Detail = dict[str, Any]
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class SourceCommitment:
    """Asks about some instances at a time, and waits for the report about those before it asks about more."""

    source: OrthancJobs
    alias: Alias
    calls: Calls
    context: SendContext
    timeout_seconds: float
    """How long each report may take."""

    def run(self, entries: Sequence[ManifestEntry]) -> Generator[Seen, None, None]:
        for some in chunks(entries, ASKED_AT_ONCE):
            if self.context.stop.is_set():
                yield _occurred("commitment_not_asked", **_detail_of(TransferStopped()))
                return
            answer = yield from self._answer(some)
            if isinstance(answer, CommitmentAnswer):
                yield from self._weighed(some, answer)
            elif answer is None:
                yield _occurred("commitment_overdue", asked=len(some))
                yield from _of_all(some, EvidenceKind.COMMITMENT_OVERDUE, {})
            else:
                yield from _not_asked(some, answer)

    @staticmethod
    def not_asked(entries: Sequence[ManifestEntry], error: TransferError) -> Iterator[Seen]:
        """What to tell where it cannot even be begun."""
        return _not_asked(entries, _detail_of(error))

    def _answer(self, entries: Sequence[ManifestEntry]) -> Generator[Seen, None, CommitmentAnswer | _Detail | None]:
        """The report; None where it is overdue; the details of why there will be none."""
        references = [(entry.sop_class_uid, entry.sop_instance_uid) for entry in entries]
        try:
            uid = yield from self._patiently(lambda: self.source.ask_commitment(self.alias.name, references))
            yield _occurred("commitment_asked", instances=len(references))
            return (yield from self._report(uid))
        except ResourceNotFound:
            return {"code": "report_lost", "reason": _LOST}
        except TransferError as error:
            return _detail_of(error)

    def _report(self, uid: str) -> Generator[Seen, None, CommitmentAnswer | None]:
        began = time.monotonic()
        while (taken := time.monotonic() - began) < self.timeout_seconds:
            answer = yield from self._patiently(lambda: self.source.commitment(uid))
            if not answer.is_pending:
                return answer
            if self.context.stop.is_set():
                raise TransferStopped
            looks = min(_LONGEST_LOOK_SECONDS, max(_FIRST_LOOK_SECONDS, taken * _LOOKS_EACH))
            yield from self.calls.pause(looks)
        return None

    def _patiently(self, call: Callable[[], _Result]) -> Generator[Seen, None, _Result]:
        """A source that does not answer is asked again; one that answers that the other did not, is not."""
        policy, failures = self.context.reconnect, 0
        while True:
            try:
                return (yield from self.calls.run(call))
            except RequestError as error:
                failures += 1
                is_final = isinstance(error, ServiceFailed) or not error.retriable or failures >= policy.attempts
                if is_final or self.context.stop.is_set():
                    raise
                yield from self.calls.pause(policy.wait_seconds(failures))

    def _weighed(self, entries: Sequence[ManifestEntry], answer: CommitmentAnswer) -> Iterator[Seen]:
        """One observation for each instance that was asked about; a failure outweighs a success."""
        observations = list(weigh(entries, answer, self.alias.called_ae_title))
        counts = [seen.kind for seen in observations]
        committed, refused = (counts.count(kind) for kind in (EvidenceKind.COMMITTED, EvidenceKind.COMMITMENT_REFUSED))
        failed = refused + counts.count(EvidenceKind.COMMITMENT_FAILED)
        yield _occurred("commitment_report", asked=len(entries), committed=committed, failed=failed)
        yield from observations


def weigh(entries: Sequence[ManifestEntry], answer: CommitmentAnswer, ae_title: str) -> Iterator[Observation]:
    """What the report says of each of the instances that were asked about; whatever else it names is left out.

    `ae_title`: whose report it has to be, for it to prove anything.
    """
    if answer.remote_ae_title.strip() != ae_title.strip():
        yield from _of_all(
            entries, EvidenceKind.COMMITMENT_FAILED, {"code": "wrong_ae_title", "reason": _WRONG_AE_TITLE}
        )
        return
    failures, classes = _grouped(answer.failed), _grouped((uid, sop_class) for sop_class, uid in answer.committed)
    now = datetime.now(UTC)
    for entry in entries:
        kind, detail = _said(entry, failures, classes)
        yield Observation(entry.sop_instance_uid, kind, now, detail)


def _grouped(pairs: Iterable[tuple[str, _Result]]) -> Mapping[str, list[_Result]]:
    """By SOP Instance UID: a report may list one more than once."""
    grouped: defaultdict[str, list[_Result]] = defaultdict(list)
    for uid, value in pairs:
        grouped[uid].append(value)
    return grouped


def _said(
    entry: ManifestEntry, failures: Mapping[str, list[int | None]], classes: Mapping[str, list[str]]
) -> tuple[EvidenceKind, _Detail]:
    uid = entry.sop_instance_uid
    if uid in failures:
        reason = next((each for each in failures[uid] if each in DENYING), failures[uid][0])
        kind = EvidenceKind.COMMITMENT_REFUSED if reason in DENYING else EvidenceKind.COMMITMENT_FAILED
        code = {} if reason is None else {"failure_reason": f"0x{reason:04X}"}
        return kind, {**code, "reason": failure_reason_text(reason)}
    if uid not in classes:
        return EvidenceKind.NOT_MENTIONED, {}
    if any(sop_class != entry.sop_class_uid for sop_class in classes[uid]):
        return EvidenceKind.COMMITMENT_FAILED, {"reason": _OTHER_SOP_CLASS, "code": "other_sop_class"}
    return EvidenceKind.COMMITTED, {}


def _not_asked(entries: Sequence[ManifestEntry], detail: _Detail) -> Iterator[Seen]:
    yield _occurred("commitment_not_asked", **detail)
    yield from _of_all(entries, EvidenceKind.COMMITMENT_FAILED, detail)


def _of_all(entries: Iterable[ManifestEntry], kind: EvidenceKind, detail: _Detail) -> Iterator[Observation]:
    now = datetime.now(UTC)
    return (Observation(entry.sop_instance_uid, kind, now, detail) for entry in entries)


def _detail_of(error: TransferError) -> _Detail:
    return {"code": error.code, "reason": str(error)}


def _occurred(name: str, **detail: Any) -> Occurrence:
    return Occurrence(name, datetime.now(UTC), detail)
