"""Which transfers a list shows: filters, pages by key, and the numbers above it.

Made for a hundred thousand transfers: nothing is joined to be counted, and no page is reached by counting rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from audit.judgements import StudyVerdict
from transfers.models import CommitmentRequest, Transfer
from transfers.states import HELD, State

PAGE_ROWS = 50
ATTENTION = (StudyVerdict.PARTIAL, StudyVerdict.NOTHING_STORED, StudyVerdict.UNVERIFIABLE)
"""Verdicts that somebody should look at; what is resent or verified anew leaves them by itself."""
STUCK = (State.INTERRUPTED, State.FAILED)
RUNNING = (*sorted(HELD), State.QUEUED)

_UID = re.compile(r"[0-9.]+")
_ID = re.compile(r"[0-9a-f]{4,32}")
"""The first digits of a transfer's id; fewer would be the beginning of too many."""
Transfers = QuerySet[Transfer, Transfer]


class Show(StrEnum):
    """Quick filters, of which one is chosen."""

    ALL = "all"
    ATTENTION = "attention"
    RUNNING = "running"
    OVERDUE = "overdue"
    """A report on storage commitment did not come in time, and nobody asked again."""
    MISSING = "missing"
    """It was committed, and lacks something now; nobody has seen that yet."""


@dataclass(frozen=True, slots=True)
class TransferFilters:
    """What a list is limited to; empty fields limit nothing."""

    show: Show = Show.ALL
    states: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    destination: str = ""
    since: date | None = None
    until: date | None = None
    """The last day that is shown."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some transfers, the newest first, and where the pages before and after begin."""

    transfers: list[Transfer]
    newer_than: UUID | None
    """The previous page holds what is newer than this; None on the first page."""
    older_than: UUID | None


def matching(filters: TransferFilters) -> Transfers:
    """The transfers that pass all the filters."""
    transfers = Transfer.objects.all()
    if filters.show is Show.ATTENTION:
        transfers = transfers.filter(needing_attention())
    if filters.show is Show.RUNNING:
        transfers = transfers.filter(state__in=RUNNING)
    if filters.show is Show.OVERDUE:
        transfers = transfers.filter(overdue())
    if filters.show is Show.MISSING:
        transfers = transfers.filter(missing())
    if filters.states:
        transfers = transfers.filter(state__in=filters.states)
    if filters.verdicts:
        transfers = transfers.filter(verdict__in=filters.verdicts)
    if filters.destination:
        transfers = transfers.filter(destination__name=filters.destination)
    if filters.since:
        transfers = transfers.filter(created_at__gte=_midnight(filters.since))
    if filters.until:
        transfers = transfers.filter(created_at__lte=datetime.combine(filters.until, time.max, UTC))
    return transfers.filter(about(filters.text)) if filters.text.strip() else transfers


def needing_attention() -> Q:
    """Not all of it is proved, or it stands still half-way; what somebody cancelled is as they wanted it."""
    unproven = Q(verdict__in=ATTENTION) & ~Q(state=State.CANCELLED)
    return unproven | Q(state__in=STUCK)


def page_of(transfers: Transfers, *, older_than: UUID | None = None, newer_than: UUID | None = None) -> Page:
    """The page that begins after one transfer, or that ends before one; else the first."""
    keys = transfers.values_list("pk", flat=True)
    if newer_than is not None and (key := _key(newer_than)) is not None:
        found = list(keys.filter(pk__gt=key).order_by("pk")[: PAGE_ROWS + 1])
        return _page(found[:PAGE_ROWS][::-1], has_newer=len(found) > PAGE_ROWS, has_older=True)
    key = None if older_than is None else _key(older_than)
    if key is not None:
        keys = keys.filter(pk__lt=key)
    found = list(keys.order_by("-pk")[: PAGE_ROWS + 1])
    return _page(found[:PAGE_ROWS], has_newer=key is not None, has_older=len(found) > PAGE_ROWS)


def count_by_verdict(now: datetime) -> Mapping[str, int]:
    """The numbers above the list: committed since midnight, and what needs attention by verdict, however old."""
    unproven = Transfer.objects.filter(verdict__in=ATTENTION).exclude(state=State.CANCELLED)
    counts = Counter(dict(unproven.order_by().values_list("verdict").annotate(count=Count("pk"))))
    today = Transfer.objects.filter(finished_at__gte=_midnight(now.astimezone(UTC).date()))
    counts[StudyVerdict.COMMITTED] = today.filter(verdict=StudyVerdict.COMMITTED).count()
    return counts


def count_running() -> int:
    """Held by a process, or waiting for one."""
    return Transfer.objects.filter(state__in=RUNNING).count()


def count_overdue() -> int:
    return _overdue().order_by().values("transfer").distinct().count()


def count_missing() -> int:
    return Transfer.objects.filter(missing()).count()


def overdue() -> Q:
    """A report on storage commitment did not come in time, and it was not asked for again since."""
    return Q(pk__in=_overdue().values("transfer"))


def missing() -> Q:
    """The study had been committed and was found to lack instances, and nobody has said to have seen it."""
    return Q(missing_since__isnull=False)


def _overdue() -> QuerySet[CommitmentRequest, CommitmentRequest]:
    """Requests whose report did not come in time, but for those that were made anew since."""
    anew = CommitmentRequest.objects.filter(transfer=OuterRef("transfer"), created_at__gt=OuterRef("created_at"))
    return CommitmentRequest.objects.filter(~Exists(anew), is_overdue=True)


def count_needing_attention(by_verdict: Mapping[str, int]) -> int:
    stuck = Transfer.objects.filter(state__in=STUCK).exclude(verdict__in=ATTENTION).count()
    return stuck + sum(by_verdict.get(verdict, 0) for verdict in ATTENTION)


def _page(keys: Sequence[int], *, has_newer: bool, has_older: bool) -> Page:
    """The rows are fetched once it is known which: what is joined to be filtered costs for every row that there is."""
    transfers = list(Transfer.objects.filter(pk__in=keys).select_related("destination", "audit").order_by("-pk"))
    if not transfers:
        return Page([], None, None)
    return Page(
        transfers,
        newer_than=transfers[0].public_id if has_newer else None,
        older_than=transfers[-1].public_id if has_older else None,
    )


def _key(public_id: UUID) -> int | None:
    return Transfer.objects.filter(public_id=public_id).values_list("pk", flat=True).first()


def about(text: str) -> Q:
    """Words of the description, all of them; or the beginning of a Study Instance UID or of a transfer's id."""
    words = text.split()
    if len(words) == 1 and _UID.fullmatch(words[0]) and "." in words[0]:
        return Q(study_instance_uid__startswith=words[0])
    described = _all(Q(study_description__icontains=word) for word in words)
    if len(words) != 1:
        return described
    if _UID.fullmatch(words[0]):
        described |= Q(study_instance_uid__startswith=words[0])
    return described | _id_begins_with(words[0])


def _all(conditions: Iterable[Q]) -> Q:
    combined = Q()
    for condition in conditions:
        combined &= condition
    return combined


def _id_begins_with(text: str) -> Q:
    digits = text.replace("-", "").lower()
    if not _ID.fullmatch(digits):
        return Q()
    return Q(public_id__range=(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
