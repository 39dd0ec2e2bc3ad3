"""What each method came to at each destination of this installation, counted and timed.

Made for a hundred thousand transfers: all are counted from one index, and only the newest of each pair are timed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import NamedTuple

from django.db.models import Count

from audit.chunks import chunks
from audit.judgements import StudyVerdict
from audit.models import Audit
from transfers.models import Attempt, Destination, Transfer

TIMED = 20
"""Of each method and destination the medians are of so many committed transfers, the newest."""
PAIRS_TIMED = 50
"""Of so many pairs, those with the most committed transfers; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one method at one destination. The medians are None where nothing was timed."""

    method: str
    destination: str
    """Its name."""
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """How many transfers have which verdict; `pending` where there is none yet."""
    timed: int = 0
    """How many the medians are of."""
    bytes_per_second: float | None = None
    instances_per_second: float | None = None
    """Both of those that were sent in one attempt."""
    seconds_to_verified: float | None = None
    """From the beginning of the first attempt to the first seal that says committed."""

    @property
    def transfers(self) -> int:
        return sum(self.verdicts.values())


@dataclass(frozen=True, slots=True)
class _Timing:
    bytes_per_second: float | None
    instances_per_second: float | None
    seconds_to_verified: float | None


Pair = tuple[str, int]
"""The key of a method, and that of a destination."""
_Sample = Mapping[Pair, Mapping[int, int]]
"""Of transfers that are timed: the key of each, and of its newest audit."""


def method_figures() -> list[Figures]:
    """By method, then destination; of all transfers that were to be sent."""
    counted = _count()
    sample = {pair: _newest_committed(pair) for pair in _busiest(counted)}
    timings = _timings(sample)
    names = dict(Destination.objects.values_list("pk", "name"))
    found = [_figures(pair, names[pair[1]], verdicts, timings.get(pair, [])) for pair, verdicts in counted.items()]
    return sorted(found, key=lambda each: (each.method, each.destination))


def _count() -> dict[Pair, Counter[str]]:
    counted: dict[Pair, Counter[str]] = defaultdict(Counter)
    sent = Transfer.objects.filter(method__isnull=False).order_by()
    for method, destination, verdict, count in sent.values_list("method", "destination", "verdict").annotate(
        Count("pk")
    ):
        counted[method or "", destination][verdict] += count
    return counted


def _busiest(counted: Mapping[Pair, Counter[str]]) -> list[Pair]:
    committed = {pair: verdicts[StudyVerdict.COMMITTED] for pair, verdicts in counted.items()}
    return [pair for pair in sorted(committed, key=lambda each: -committed[each]) if committed[pair]][:PAIRS_TIMED]


def _newest_committed(pair: Pair) -> dict[int, int]:
    method, destination = pair
    committed = Transfer.objects.filter(method=method, destination=destination, verdict=StudyVerdict.COMMITTED)
    return dict(committed.order_by("-pk").values_list("pk", "audit_id")[:TIMED])


def _timings(sample: _Sample) -> dict[Pair, list[_Timing]]:
    audits = {transfer: audit for each in sample.values() for transfer, audit in each.items()}
    attempts, sealed = _attempts(list(audits)), _committed_at(audits)
    return {
        pair: [_timing(attempts[transfer], sealed.get(transfer)) for transfer in transfers if attempts[transfer]]
        for pair, transfers in sample.items()
    }


class _Attempt(NamedTuple):
    instances: int
    size_bytes: int
    started_at: datetime
    ended_at: datetime | None


def _attempts(transfers: Sequence[int]) -> Mapping[int, list[_Attempt]]:
    found: dict[int, list[_Attempt]] = defaultdict(list)
    columns = ("transfer", "instances", "size_bytes", "started_at", "ended_at")
    for some in chunks(transfers):
        rows = Attempt.objects.filter(transfer__in=some).order_by("pk").values_list(*columns)
        for transfer, instances, size_bytes, started_at, ended_at in rows:
            found[transfer].append(_Attempt(instances, size_bytes, started_at, ended_at))
    return found


def _committed_at(audits: Mapping[int, int]) -> dict[int, datetime]:
    """Of each transfer when it was first found committed: later audits continue that one, and are walked back."""
    found: dict[int, datetime] = {}
    walked = {audit: transfer for transfer, audit in audits.items()}
    while walked:
        earlier: dict[int, int] = {}
        for audit, continues, verdict, sealed_at in _audits(walked):
            if verdict == StudyVerdict.COMMITTED and sealed_at is not None:
                found[walked[audit]] = sealed_at
            if continues is not None:
                earlier[continues] = walked[audit]
        walked = earlier
    return found


def _audits(keys: Iterable[int]) -> Iterable[tuple[int, int | None, str, datetime | None]]:
    for some in chunks(list(keys)):
        yield from Audit.objects.filter(pk__in=some).values_list("pk", "continues", "verdict", "sealed_at")


def _timing(attempts: Sequence[_Attempt], sealed_at: datetime | None) -> _Timing:
    first = attempts[0]
    to_verified = (sealed_at - first.started_at).total_seconds() if sealed_at else None
    seconds = (first.ended_at - first.started_at).total_seconds() if first.ended_at else 0.0
    if len(attempts) > 1 or seconds <= 0:
        return _Timing(None, None, to_verified)
    return _Timing(first.size_bytes / seconds, first.instances / seconds, to_verified)


def _figures(pair: Pair, destination: str, verdicts: Mapping[str, int], timings: Sequence[_Timing]) -> Figures:
    return Figures(
        method=pair[0],
        destination=destination,
        verdicts=dict(verdicts),
        timed=len(timings),
        bytes_per_second=_median(each.bytes_per_second for each in timings),
        instances_per_second=_median(each.instances_per_second for each in timings),
        seconds_to_verified=_median(each.seconds_to_verified for each in timings),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
