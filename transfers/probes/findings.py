"""What the answers so far say about the entries of a manifest. Pure: what to ask, and when, is decided elsewhere.

A row counts for an instance only where study and series, if the row gives them, are the instance's own. Rows of
anything else are ignored, rows that come twice count once, and an answer that broke off still proves what it named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from audit.entries import ManifestEntry
from audit.uids import UnsafeUid, uid_of
from transfers.errors import TransferError
from transfers.probes.answers import Answer
from transfers.wire.identifiers import Level, Query, Row


class SeriesKey(NamedTuple):
    study_instance_uid: str
    series_instance_uid: str


@dataclass(slots=True)
class SeriesFindings:
    """What the lists of one series say."""

    key: SeriesKey
    wanted: list[str] = field(default_factory=list)
    """SOP Instance UIDs of the entries."""
    named: set[str] = field(default_factory=set)
    """Every SOP Instance UID that a list named under this series, wanted or not."""
    finished_lists: int = 0
    first_ended_at: float = 0.0
    """When the first finished list had ended."""
    last_asked_at: float = 0.0
    """When the last finished list was asked for."""
    error: TransferError | None = None
    """Why the last list did not end as it should."""
    related_instances: int | None = None
    """NumberOfSeriesRelatedInstances, where the destination offers it."""

    @property
    def query(self) -> Query:
        return Query(*self.key)

    @property
    def is_listed(self) -> bool:
        """Whether its last list was finished."""
        return self.finished_lists > 0 and self.error is None

    def is_settled(self, settle_seconds: float) -> bool:
        """Whether there were two finished lists, so far apart that whatever was sent had the time to show up."""
        return self.finished_lists > 1 and self.last_asked_at - self.first_ended_at >= settle_seconds

    def take(self, answer: Answer) -> None:
        self.error = answer.error
        if answer.error is not None:
            return
        self.finished_lists += 1
        self.last_asked_at = answer.asked_at
        if self.finished_lists == 1:
            self.first_ended_at = answer.ended_at


class Findings:
    """Takes answers in, in any order."""

    def __init__(self, entries: Sequence[ManifestEntry]) -> None:
        self.entries: dict[str, ManifestEntry] = {}
        self.unaskable: set[str] = set()
        """Entries with a UID that must not be put into a query."""
        self.series: dict[SeriesKey, SeriesFindings] = {}
        self.vanished: set[str] = set()
        """Listed once, but not by the last list."""
        self.elsewhere: dict[str, SeriesKey] = {}
        """Named under another study or series."""
        self.other_class: dict[str, str] = {}
        """Named with another SOP class."""
        self.found_directly: set[str] = set()
        self.denied_directly: set[str] = set()
        self.answered_with_others: set[str] = set()
        """Asked for directly, and the answer was about other instances."""
        self.direct_errors: dict[str, TransferError] = {}
        self._copies: dict[str, set[str]] = {}
        """By SOP Instance UID, which copies the destination told of."""
        self._listed: set[str] = set()
        self._identified: set[str] = set()
        """Named by a row that gives study and series."""
        for entry in entries:
            self._add(entry)

    def _add(self, entry: ManifestEntry) -> None:
        uid, key = entry.sop_instance_uid, series_of(entry)
        self.entries[uid] = entry
        if not all(map(_is_askable, (uid, *key))):
            self.unaskable.add(uid)
            return
        self.series.setdefault(key, SeriesFindings(key)).wanted.append(uid)

    def is_present(self, sop_instance_uid: str) -> bool:
        """Whether the destination says that it holds the instance, and did not take it back."""
        if sop_instance_uid in self.found_directly:
            return True
        return sop_instance_uid in self._listed and sop_instance_uid not in self.vanished

    def direct_answer(self, sop_instance_uid: str) -> str:
        """What the direct question for it came to, in a word."""
        if sop_instance_uid in self.found_directly:
            return "found"
        if sop_instance_uid in self.denied_directly:
            return "not-found"
        return "failed" if sop_instance_uid in self.direct_errors else "not-asked"

    def copies(self, sop_instance_uid: str) -> int:
        """How many of it the destination said that it holds, in any place; 0 where it does not tell them apart."""
        return len(self._copies.get(sop_instance_uid, ()))

    @property
    def askable(self) -> list[str]:
        return [uid for series in self.series.values() for uid in series.wanted]

    @property
    def missing(self) -> list[str]:
        """Those that it named nowhere, in the order of the entries."""
        return [uid for uid in self.askable if uid not in self.elsewhere and not self.is_present(uid)]

    def is_open(self, query: Query) -> bool:
        """Whether something that a list of these instances may name was named nowhere."""
        wanted = self.series[SeriesKey(query.study_instance_uid, query.series_instance_uid)].wanted
        return any(uid not in self.elsewhere and not self.is_present(uid) for uid in wanted)

    @property
    def bare(self) -> set[str]:
        """Those that are only named by rows that do not give study and series."""
        return (self._listed | self.found_directly) - self._identified

    def series_of(self, sop_instance_uid: str) -> SeriesFindings:
        return self.series[series_of(self.entries[sop_instance_uid])]

    def take(self, answer: Answer) -> None:
        if answer.query.level is Level.SERIES:
            self._take_counts(answer)
        elif answer.query.sop_instance_uid:
            self._take_direct(answer)
        else:
            self._take_list(answer)

    def take_copies(self, rows: Iterable[Row]) -> None:
        """Take in where else instances are; it makes none present."""
        for row in rows:
            entry = self.entries.get(row.sop_instance_uid)
            if entry is None:
                continue
            self._count_copy(row)
            place = SeriesKey(row.study_instance_uid, row.series_instance_uid)
            if place != series_of(entry):
                self.elsewhere.setdefault(entry.sop_instance_uid, place)

    def disown_bare_rows(self) -> None:
        """Take back what rows without study and series said: the destination ignores what it is asked for."""
        bare = self.bare
        self._listed -= bare
        self.found_directly -= bare
        self.elsewhere |= dict.fromkeys(bare, SeriesKey("", ""))

    def _take_list(self, answer: Answer) -> None:
        series = self.series[SeriesKey(answer.query.study_instance_uid, answer.query.series_instance_uid)]
        named = self._read(answer)
        series.named.update(row.sop_instance_uid for row in answer.rows if _place_of(row, answer.query) == series.key)
        series.named.discard("")
        series.take(answer)
        self.vanished -= named
        if answer.is_finished:
            self.vanished.update(uid for uid in series.wanted if uid in self._listed and uid not in named)
        self._listed |= named

    def _take_direct(self, answer: Answer) -> None:
        uid = answer.query.sop_instance_uid
        named = self._read(answer)
        self.direct_errors.pop(uid, None)
        if uid in named:
            self.found_directly.add(uid)
        elif answer.error is not None:
            self.direct_errors[uid] = answer.error
        else:
            self.denied_directly.add(uid)
        if any(row.sop_instance_uid != uid for row in answer.rows):
            self.answered_with_others.add(uid)

    def _take_counts(self, answer: Answer) -> None:
        for row in answer.rows:
            series = self.series.get(_place_of(row, answer.query))
            if series is not None and row.series_related_instances is not None:
                series.related_instances = row.series_related_instances

    def _read(self, answer: Answer) -> set[str]:
        """The entries that the rows name under their own study and series; notes what is odd about the others."""
        named = set()
        for row in answer.rows:
            entry = self.entries.get(row.sop_instance_uid)
            if entry is None or entry.sop_instance_uid in self.unaskable:
                continue
            self._count_copy(row)
            place = _place_of(row, answer.query)
            if place != series_of(entry):
                self.elsewhere.setdefault(entry.sop_instance_uid, place)
                continue
            if row.study_instance_uid and row.series_instance_uid:
                self._identified.add(entry.sop_instance_uid)
            if row.sop_class_uid not in ("", entry.sop_class_uid):
                self.other_class[entry.sop_instance_uid] = row.sop_class_uid
            named.add(entry.sop_instance_uid)
        return named

    def _count_copy(self, row: Row) -> None:
        if row.copy_id:
            self._copies.setdefault(row.sop_instance_uid, set()).add(row.copy_id)


def series_of(entry: ManifestEntry) -> SeriesKey:
    return SeriesKey(entry.study_instance_uid, entry.series_instance_uid)


def _place_of(row: Row, query: Query) -> SeriesKey:
    """The study and series that a row speaks of; where it does not say, those that were asked for."""
    return SeriesKey(
        row.study_instance_uid or query.study_instance_uid, row.series_instance_uid or query.series_instance_uid
    )


def _is_askable(uid: str) -> bool:
    try:
        return bool(uid) and uid_of(uid.encode()) == uid
    except (UnsafeUid, UnicodeEncodeError):
        return False
