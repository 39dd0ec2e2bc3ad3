"""What went wrong with a transfer, in groups: how many, why, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from audit.judgements import Ground
from audit.last_answers import AnsweredAlike, failing_by_answer
from audit.models import Audit
from audit.observations import EvidenceKind
from transfers.remedies import remedy_of_code, remedy_of_ground, title_of_ground

_EXPLAINS: Mapping[EvidenceKind, Ground] = {
    EvidenceKind.REFUSED: Ground.REFUSED,
    EvidenceKind.NOT_SENT: Ground.NOT_SENT,
    EvidenceKind.NO_ANSWER: Ground.NO_ANSWER,
    EvidenceKind.ANSWER_UNCLEAR: Ground.ANSWER_UNCLEAR,
}
"""What explains by itself why an instance is not there."""
_EXPLAINED = frozenset({Ground.ABSENT, *_EXPLAINS.values()})
MOST_GROUPS = 12
"""What has more reasons than this is shown by its most frequent ones, and the rest by what they have in common."""

Url = Callable[[Mapping[str, str]], str]


class _Answer(NamedTuple):
    kind: EvidenceKind
    code: str
    """A status code, or the code of an error of ours."""
    said: str


class _Group(NamedTuple):
    verdict: str
    ground: Ground
    answer: _Answer | None
    """What explains it; None where its ground says all there is to say."""


def failures_of(audit: Audit, url_of: Url) -> list[dict[str, Any]]:
    """As `templates/transfers/_failures.html` wants them, the largest first; of a sealed audit."""
    groups: Counter[_Group] = Counter()
    for alike in failing_by_answer(audit):
        answer = _answer(alike) if alike.ground in _EXPLAINED else None
        groups[_Group(alike.verdict, alike.ground, answer)] += alike.count
    return [_failure(group, count, url_of) for group, count in _shown(groups)]


def _answer(alike: AnsweredAlike) -> _Answer | None:
    if alike.kind is None:
        return None
    detail = alike.detail
    status_code = str(detail.get("status_code") or "")
    said = f"{status_code} {detail.get('meaning', '')}".strip() or str(detail.get("reason") or "").rstrip(".")
    return _Answer(alike.kind, status_code or str(detail.get("code") or ""), said)


def _shown(groups: Counter[_Group]) -> Iterator[tuple[_Group, int]]:
    """The largest groups; those beyond them by verdict and ground alone."""
    ordered = groups.most_common()
    rest: Counter[_Group] = Counter()
    for group, count in ordered[MOST_GROUPS:]:
        rest[group._replace(answer=None)] += count
    yield from ordered[:MOST_GROUPS]
    yield from rest.most_common()


def _failure(group: _Group, count: int, url_of: Url) -> dict[str, Any]:
    query = {"verdict": group.verdict, "ground": group.ground.value}
    if group.answer is None:
        title, text = title_of_ground(group.ground), remedy_of_ground(group.ground)
    else:
        title, text = _title(group.answer), _remedy(group.ground, group.answer)
        query |= {"code": group.answer.code} if group.answer.code else {}
    return {"verdict": group.verdict, "count": count, "title": title, "text": text, "url": url_of(query)}


def _title(answer: _Answer) -> str:
    if answer.kind is EvidenceKind.ACKNOWLEDGED:
        warning = "" if answer.code == "0x0000" else f" with {answer.said}"
        return f"Acknowledged{warning}, and not found at the destination"
    title = title_of_ground(_EXPLAINS[answer.kind])
    return f"{title}: {answer.said}" if answer.said else title


def _remedy(ground: Ground, answer: _Answer) -> str:
    by_code = "" if answer.kind is EvidenceKind.ACKNOWLEDGED else remedy_of_code(answer.code)
    return by_code or remedy_of_ground(_EXPLAINS.get(answer.kind, ground))
