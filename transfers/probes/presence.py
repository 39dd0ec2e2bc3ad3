"""Presence: what a destination lists, and what that proves; the same for every way of asking it.

`absence` has the rules, `findings` what was answered, `inquiry` the questions and their repetition; a probe brings the
line that they are put over.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation, Occurrence
from transfers.endpoints import Timeouts
from transfers.errors import ListingFailed, ResourceNotFound
from transfers.probes.absence import Conclusion, Rules
from transfers.probes.base import Listing, ProbeContext
from transfers.probes.controls import blindness_question, invention_question
from transfers.probes.findings import Findings, SeriesFindings, series_of
from transfers.probes.inquiry import Inquiry, Pauses
from transfers.probes.lines import Line
from transfers.wire.dimse import ListBounds

_INVENTS = Conclusion(
    EvidenceKind.PROBE_FAILED,
    "The destination says that it holds a SOP Instance UID made up a moment ago: nothing that it lists proves anything",
    "invents",
)


_UNCONTROLLED = Conclusion(
    EvidenceKind.PROBE_FAILED,
    "Not listed, but found by asking for it; whether the destination says yes to anything could not be found out",
    "not_controlled",
)


class PresenceProbe(ABC):
    """Series by series, over a line of its own, never the sender's."""

    key: str

    @abstractmethod
    def line(self, context: ProbeContext, bounds: ListBounds) -> AbstractContextManager[Line]:
        """A line that is not open yet; what it needs ends with the block."""

    def list_present(self, entries: Sequence[ManifestEntry], context: ProbeContext) -> Listing:
        """As Probe promises. An instance listed under another study or series is `unknown`."""
        findings = Findings(entries)
        rules = Rules(findings, empty_lists_suffice=True)
        search = _Search(findings, rules, context, retry_seconds=context.preflight_retry_seconds)
        with self.line(context, search.bounds) as line:
            occurrences = tuple(search.run(line))
        uids = {entry.sop_instance_uid for entry in entries}
        if search.peer_invents:
            return Listing(frozenset(), frozenset(uids), occurrences)
        present = frozenset(uid for uid in uids if findings.is_present(uid))
        unknown = frozenset(uid for uid in uids - present if search.conclude(uid).kind is not EvidenceKind.ABSENT)
        return Listing(present, unknown, occurrences)

    def verify(self, entries: Sequence[ManifestEntry], context: ProbeContext) -> Iterator[Observation | Occurrence]:
        """As Probe promises."""
        findings = Findings(entries)
        rules = Rules(
            findings,
            may_settle=context.may_settle,
            settle_seconds=context.settle_seconds,
            under_way=context.under_way,
        )
        search = _Search(findings, rules, context, retry_seconds=context.retry_seconds, wants_copies=True)
        with self.line(context, search.bounds) as line:
            yield from search.run(line)
        at = datetime.now(UTC)
        for sop_instance_uid in findings.entries:
            conclusion = search.conclude(sop_instance_uid)
            yield Observation(sop_instance_uid, conclusion.kind, at, _detail(sop_instance_uid, conclusion, findings))


class _Search:
    """Asks until the rules can conclude, or until nothing more can be asked."""

    def __init__(
        self,
        findings: Findings,
        rules: Rules,
        context: ProbeContext,
        *,
        retry_seconds: float,
        wants_copies: bool = False,
    ) -> None:
        self.bounds = _bounds(len(findings.entries), context.endpoint.timeouts)
        self._findings = findings
        self._rules = rules
        self._context = context
        self._retry_seconds = retry_seconds
        self._wants_copies = wants_copies
        self._is_controlled = False
        self.peer_invents = False

    def conclude(self, sop_instance_uid: str) -> Conclusion:
        if self.peer_invents:
            return _INVENTS
        if not self._is_controlled and sop_instance_uid in self._findings.found_directly:
            return _UNCONTROLLED
        return self._rules.conclude(sop_instance_uid)

    def run(self, line: Line) -> Iterator[Occurrence]:
        findings = self._findings
        yield _occurred("probe_started", instances=len(findings.entries), series=len(findings.series))
        with Inquiry(line, self._context.stop, self._retry_seconds) as inquiry:
            yield from self._list(inquiry, list(findings.series.values()))
            yield from self._settle(inquiry)
            if not self.peer_invents:
                yield from self._ask_directly(inquiry)
                self._ask_for_counts(inquiry)
                self._ask_for_copies(inquiry)
                self._control_bare_rows(inquiry)
                self._control(inquiry)
            yield from inquiry.take_occurrences()

    def _settle(self, inquiry: Inquiry) -> Iterator[Occurrence]:
        """List again what may yet show up, until all is there or has had its time."""
        pauses = Pauses(self._context.stop)
        last_seconds = 0.0
        while not self.peer_invents and (unsettled := self._rules.unsettled()):
            # A list that takes long is not asked for all the time, and the last one comes as soon as it may.
            pauses.pause(at_least=last_seconds, at_most=self._rules.settled_at() - time.monotonic())
            asked_at = time.monotonic()
            yield from self._list(inquiry, unsettled)
            last_seconds = time.monotonic() - asked_at

    def _list(self, inquiry: Inquiry, series: Sequence[SeriesFindings]) -> Iterator[Occurrence]:
        asked_at = time.monotonic()
        for answer in inquiry.ask([each.query for each in series], self._findings.is_open):
            self._findings.take(answer)
        self._control(inquiry)
        yield from inquiry.take_occurrences()
        yield from _failures(series)
        finished = sum(each.is_listed for each in series)
        if finished:
            missing, seconds = len(self._findings.missing), round(time.monotonic() - asked_at, 3)
            yield _occurred("list_finished", series=finished, missing=missing, seconds=seconds)

    def _control(self, inquiry: Inquiry) -> None:
        """Ask the control question where it has no answer yet; once, since a list does not depend on it."""
        if self._is_controlled or not self._findings.series:
            return
        question = invention_question(next(iter(self._findings.series)))
        answer = inquiry.ask_once(question)
        self._is_controlled = answer.is_finished
        self.peer_invents = answer.names(question.sop_instance_uid)

    def _ask_directly(self, inquiry: Inquiry) -> Iterator[Occurrence]:
        questions = self._rules.direct_questions()
        if not questions:
            return
        for answer in inquiry.ask(questions):
            self._findings.take(answer)
        found = len(self._findings.found_directly)
        yield _occurred("asked_directly", questions=len(questions), found=found)

    def _ask_for_counts(self, inquiry: Inquiry) -> None:
        for question in self._rules.count_questions():
            self._findings.take(inquiry.ask_once(question))

    def _ask_for_copies(self, inquiry: Inquiry) -> None:
        """Where else the instances are: it decides nothing, but explains what other ways of asking come to."""
        if self._wants_copies:
            self._findings.take_copies(inquiry.ask_for_copies(self._findings.askable))

    def _control_bare_rows(self, inquiry: Inquiry) -> None:
        """Rows that do not say where count only if the destination is seen to look where it was asked."""
        bare = self._findings.bare
        if not bare:
            return
        answer = inquiry.ask_once(blindness_question(min(bare)))
        if answer.rows or not (answer.is_finished or isinstance(answer.error, ListingFailed | ResourceNotFound)):
            self._findings.disown_bare_rows()


def _failures(series: Sequence[SeriesFindings]) -> Iterator[Occurrence]:
    """One occurrence for each way in which lists failed."""
    errors = {each.error.code: each.error for each in series if each.error is not None}
    counts = Counter(each.error.code for each in series if each.error is not None)
    for code, error in errors.items():
        yield _occurred("list_failed", series=counts[code], code=code, reason=str(error))


def _bounds(instances: int, timeouts: Timeouts) -> ListBounds:
    """Generous: a destination may be slow, and may list more than was asked for, but not for ever."""
    rows = 10 * instances + 10_000
    return ListBounds(rows=rows, seconds=10 * timeouts.dimse_seconds + rows / 100)


def _detail(sop_instance_uid: str, conclusion: Conclusion, findings: Findings) -> dict[str, Any]:
    detail: dict[str, Any] = {"reason": conclusion.reason}
    if conclusion.code:
        detail["code"] = conclusion.code
    if (copies := findings.copies(sop_instance_uid)) > 1:
        detail["copies"] = copies
        detail["reason"] += _of_copies(copies, is_elsewhere=sop_instance_uid in findings.elsewhere)
    series = findings.series.get(series_of(findings.entries[sop_instance_uid]))
    if series is not None:
        detail["lists"] = series.finished_lists
        detail["seconds"] = round(max(0.0, series.last_asked_at - series.first_ended_at), 3)
        detail["direct_question"] = findings.direct_answer(sop_instance_uid)
    if place := findings.elsewhere.get(sop_instance_uid):
        detail["listed_under"] = place._asdict()
    if sop_class_uid := findings.other_class.get(sop_instance_uid):
        detail["listed_sop_class_uid"] = sop_class_uid
    return detail


def _of_copies(copies: int, *, is_elsewhere: bool) -> str:
    where = "under another study or series" if is_elsewhere else "under another patient"
    return (
        f". It is there {copies} times, also {where}; "
        "while it is, a storage commitment may be denied (0x0112), though it is there"
    )


def _occurred(name: str, **detail: Any) -> Occurrence:
    return Occurrence(name, datetime.now(UTC), detail)
