"""What went wrong with a transfer, in groups: how many, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from django.db.models import Count

from audit.judgements import Ground, InstanceVerdict
from audit.models import Audit, Evidence
from audit.observations import EvidenceKind
from transfers.remedies import remedy_of_code, remedy_of_ground, title_of_ground

_SAID_WITH: Mapping[Ground, EvidenceKind] = {
    Ground.REFUSED: EvidenceKind.REFUSED,
    Ground.NOT_SENT: EvidenceKind.NOT_SENT,
    Ground.NO_ANSWER: EvidenceKind.NO_ANSWER,
    Ground.ANSWER_UNCLEAR: EvidenceKind.ANSWER_UNCLEAR,
}
"""Grounds that fall into groups by what was said with the evidence."""
MOST_CODES = 12


class _Group(NamedTuple):
    verdict: str
    ground: Ground
    count: int


def failures_of(audit: Audit, url_of: Callable[[Mapping[str, str]], str]) -> list[dict[str, Any]]:
    """As `templates/transfers/_failures.html` wants them, the largest first; of a sealed audit."""
    rows = audit.instances.exclude(verdict__in=[InstanceVerdict.CONFIRMED, InstanceVerdict.PENDING])
    counted = rows.order_by().values_list("verdict", "ground").annotate(count=Count("pk"))
    groups = [_Group(verdict, Ground(ground), count) for verdict, ground, count in counted]
    found = [failure for group in groups for failure in _failures(audit, group, url_of)]
    return sorted(found, key=lambda failure: -failure["count"])


def _failures(audit: Audit, group: _Group, url_of: Callable[[Mapping[str, str]], str]) -> Iterator[dict[str, Any]]:
    codes = list(_codes_of(audit, group))
    known = {"verdict": group.verdict, "ground": group.ground.value}
    if not codes:
        yield {
            "verdict": group.verdict,
            "count": group.count,
            "title": title_of_ground(group.ground),
            "text": remedy_of_ground(group.ground),
            "url": url_of(known),
        }
    for code, said, count in codes:
        yield {
            "verdict": group.verdict,
            "count": count,
            "title": f"{title_of_ground(group.ground)}: {said}" if said else title_of_ground(group.ground),
            "text": remedy_of_code(code) or remedy_of_ground(group.ground),
            "url": url_of(known | ({"code": code} if code else {})),
        }


def _codes_of(audit: Audit, group: _Group) -> Iterator[tuple[str, str, int]]:
    """Code, what was said, and of how many instances of the group; status codes before reasons of our own."""
    kind = _SAID_WITH.get(group.ground)
    if kind is None:
        return
    rows = Evidence.objects.filter(
        instance__audit=audit, instance__verdict=group.verdict, instance__ground=group.ground, kind=kind
    )
    keys = ("detail__status_code", "detail__meaning", "detail__code", "detail__reason")
    counted = rows.order_by().values_list(*keys).annotate(count=Count("instance", distinct=True)).order_by("-count")
    for status_code, meaning, code, reason, count in counted[:MOST_CODES]:
        if status_code:
            yield status_code, f"{status_code} {meaning or ''}".strip(), count
        else:
            yield code or "", (reason or "").rstrip("."), count
