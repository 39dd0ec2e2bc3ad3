"""When an instance that no list named counts as absent: the rules, and what has to be asked for them. Pure.

`absent` must be earned: by finished lists of its series (of one that was sent at least two, spread over the settle
time) and by a direct question that did not find it. Beyond MOST_DIRECT_QUESTIONS a sample is asked for, spread evenly,
and the rest is absent only if none of the sample was found and the destination counts no more than it listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from audit.observations import EvidenceKind
from transfers.errors import TransferError
from transfers.probes.findings import Findings, SeriesFindings, SeriesKey, series_of
from transfers.wire.identifiers import Level, Query

MOST_DIRECT_QUESTIONS = 200
_UNDER_WAY = "Not listed, but what was to send it may not have ended, and may bring it still"


class Conclusion(NamedTuple):
    """What is concluded about one entry."""

    kind: EvidenceKind
    reason: str
    code: str = ""
    """Of the error, where one was the reason."""


class Rules:
    """How patient and how strict to be.

    `may_settle` are the entries that were sent, and so may still show up; `under_way` those that may be sent still, by
    what nobody waits for any more: they are never absent. Where `empty_lists_suffice`, nobody asks for
    what is missing from a series of which nothing at all is listed: a list without a row was not cut short.
    """

    def __init__(
        self,
        findings: Findings,
        *,
        may_settle: frozenset[str] = frozenset(),
        settle_seconds: float = 0.0,
        under_way: frozenset[str] = frozenset(),
        empty_lists_suffice: bool = False,
    ) -> None:
        self._findings = findings
        self._may_settle = may_settle
        self._settle_seconds = settle_seconds
        self._under_way = under_way
        self._empty_lists_suffice = empty_lists_suffice
        self._sample: list[str] = []
        """What was asked for on behalf of others."""

    def unsettled(self) -> list[SeriesFindings]:
        """The series that are to be listed again: something that was sent is missing, and may yet show up."""
        keys = {series_of(self._findings.entries[uid]) for uid in self._findings.missing if uid in self._may_settle}
        series = (each for key, each in self._findings.series.items() if key in keys)
        return [each for each in series if each.is_listed and not each.is_settled(self._settle_seconds)]

    def settled_at(self) -> float:
        """When the first of the unsettled series will have had its time."""
        return min(each.first_ended_at for each in self.unsettled()) + self._settle_seconds

    def direct_questions(self) -> list[Query]:
        """Ask for each that is missing by its name; where they are too many, for a sample."""
        missing = [uid for uid in self._findings.missing if not self._is_settled_by_an_empty_list(uid)]
        may_be_absent = [uid for uid in missing if self._fault_of_lists(uid) is None]
        chosen = sample(may_be_absent, MOST_DIRECT_QUESTIONS)
        self._sample = chosen if len(chosen) < len(may_be_absent) else []
        if not self._empty_lists_suffice:
            # Their absence cannot be earned any more, but their presence can be found.
            others = [uid for uid in missing if self._fault_of_lists(uid) is not None]
            chosen = chosen + others[: MOST_DIRECT_QUESTIONS - len(chosen)]
        return [Query(*self._findings.series_of(uid).key, uid) for uid in chosen]

    def count_questions(self) -> list[Query]:
        """Ask how many instances the series have, where direct questions did not settle all."""
        settled = self._findings.denied_directly - self._findings.answered_with_others
        open_ones = [uid for uid in self._findings.missing if uid not in settled and self._fault_of_lists(uid) is None]
        studies = dict.fromkeys(self._findings.entries[uid].study_instance_uid for uid in open_ones)
        return [Query(study, "", level=Level.SERIES) for study in studies]

    def conclude(self, sop_instance_uid: str) -> Conclusion:
        """What the answers prove of one entry."""
        findings = self._findings
        if sop_instance_uid in findings.unaskable:
            return _failed("Its UIDs have characters that must not be put into a query", "unsafe_uid")
        if sop_instance_uid in findings.other_class:
            return _failed("Listed, but with another SOP class: what is there is something else", "other_sop_class")
        if findings.is_present(sop_instance_uid):
            return Conclusion(EvidenceKind.PRESENT, _how_found(sop_instance_uid, findings))
        if place := findings.elsewhere.get(sop_instance_uid):
            return _misplaced(place)
        conclusion = self._fault_of_lists(sop_instance_uid) or self._conclude_missing(sop_instance_uid)
        if conclusion.kind is EvidenceKind.ABSENT and sop_instance_uid in self._under_way:
            return _failed(_UNDER_WAY, "under_way")
        return conclusion

    def _conclude_missing(self, sop_instance_uid: str) -> Conclusion:
        findings = self._findings
        if self._is_settled_by_an_empty_list(sop_instance_uid):
            return Conclusion(EvidenceKind.ABSENT, "Nothing of its series is listed")
        if error := findings.direct_errors.get(sop_instance_uid):
            return _failed_by(error)
        if sop_instance_uid in findings.vanished:
            return _failed("Listed at first, but not any more", "vanished")
        if sop_instance_uid not in findings.denied_directly:
            return self._conclude_unasked(sop_instance_uid)
        if sop_instance_uid in findings.answered_with_others and self._excess(sop_instance_uid) != 0:
            return _failed("Not listed, but asked for it the destination answers with others", "not_matched")
        return Conclusion(EvidenceKind.ABSENT, "Not listed, nor found by asking for it")

    def _conclude_unasked(self, sop_instance_uid: str) -> Conclusion:
        """One of too many to ask for each: the sample speaks for it, and the number of instances where offered."""
        findings = self._findings
        if not self._sample:
            return _failed("Not listed, but it was not asked for", "not_asked")
        if not findings.denied_directly.issuperset(self._sample):
            return self._fault_of_sample()
        excess = self._excess(sop_instance_uid)
        if excess:
            return _failed("Not listed, but the destination counts more in the series than it lists", "list_capped")
        if excess is None and not findings.answered_with_others.isdisjoint(self._sample):
            return _failed("Not listed, but asked for one the destination answers with others", "not_matched")
        return Conclusion(
            EvidenceKind.ABSENT, f"Not listed, nor were {len(self._sample)} others found by asking for them"
        )

    def _fault_of_sample(self) -> Conclusion:
        errors = (self._findings.direct_errors.get(uid) for uid in self._sample)
        if error := next(filter(None, errors), None):
            return _failed_by(error)
        return _failed("Not listed, but some that were not listed either were found by asking for them", "list_capped")

    def _fault_of_lists(self, sop_instance_uid: str) -> Conclusion | None:
        """Why the lists of its series do not suffice."""
        series = self._findings.series_of(sop_instance_uid)
        if series.error is not None:
            return _failed_by(series.error)
        if not series.finished_lists:
            return _failed("Its series was not listed", "not_asked")
        if sop_instance_uid in self._may_settle and not series.is_settled(self._settle_seconds):
            return _failed("Its series was not listed for long enough", "not_settled")
        return None

    def _is_settled_by_an_empty_list(self, sop_instance_uid: str) -> bool:
        series = self._findings.series_of(sop_instance_uid)
        return self._empty_lists_suffice and series.is_listed and not series.named

    def _excess(self, sop_instance_uid: str) -> int | None:
        """How many instances more than were listed the destination counts in the series; None where it does not say."""
        series = self._findings.series_of(sop_instance_uid)
        if series.related_instances is None:
            return None
        return max(0, series.related_instances - len(series.named))


def sample(values: Sequence[str], size: int) -> list[str]:
    """Return at most so many of the values, spread evenly."""
    count = len(values)
    return list(values) if count <= size else [values[index * count // size] for index in range(size)]


def _how_found(sop_instance_uid: str, findings: Findings) -> str:
    return "Not listed, but found by asking for it" if sop_instance_uid in findings.found_directly else "Listed"


def _misplaced(place: SeriesKey) -> Conclusion:
    if not place.study_instance_uid:
        return _failed("Listed, but the destination does not say where, and names it in any study", "not_matched")
    return _failed("Listed under another study or series", "elsewhere")


def _failed(reason: str, code: str) -> Conclusion:
    return Conclusion(EvidenceKind.PROBE_FAILED, reason, code)


def _failed_by(error: TransferError) -> Conclusion:
    return _failed(str(error), error.code)
