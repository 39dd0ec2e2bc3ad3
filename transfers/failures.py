"""What went wrong with a transfer, in groups: how many, why, and what to do about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from audit.judgements import Ground, InstanceVerdict
from audit.last_answers import AnsweredAlike, failing_by_answer
from audit.last_findings import Question
from audit.models import Audit
from audit.observations import EvidenceKind
from transfers.finding_groups import FoundGroup, classes_text, groups_of_findings
from transfers.remedies import ABOUT_THE_SOP_CLASS, remedy_of_code, remedy_of_ground, title_of_ground

_EXPLAINS: Mapping[EvidenceKind, Ground] = {
    EvidenceKind.REFUSED: Ground.REFUSED,
    EvidenceKind.NOT_SENT: Ground.NOT_SENT,
    EvidenceKind.NO_ANSWER: Ground.NO_ANSWER,
    EvidenceKind.ANSWER_UNCLEAR: Ground.ANSWER_UNCLEAR,
    EvidenceKind.JOB_FAILED: Ground.ANSWER_UNCLEAR,
}
"""What explains by itself why an instance is not there."""
_CLAIMS: Mapping[EvidenceKind, str] = {
    EvidenceKind.ACKNOWLEDGED: "Acknowledged",
    EvidenceKind.JOB_SUCCEEDED: "Sent by a job that succeeded",
}
"""What says that it is there, and was found to be wrong."""
_EXPLAINED = frozenset({Ground.ABSENT, *_EXPLAINS.values()})
_FOUND = frozenset({Ground.COMMITMENT_REFUSED, Ground.DIFFERENT, Ground.CONFLICT, Ground.UNREADABLE})
"""What is told by what was found there, and not by how its sending was answered."""
_PROVED = "Proved otherwise."
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


_Groups = Mapping[_Group, Counter[str]]
"""Each with how many instances it has of which SOP class."""


def failures_of(audit: Audit, url_of: Url, *, asked_to_commit: bool = False) -> list[dict[str, Any]]:
    """As `templates/transfers/_failures.html` wants them, the largest first; of a sealed audit.

    What was found by asking comes beside what was answered to sending, also of what is proved otherwise: a report
    that did not come, a copy that could not be read.
    """
    questions = [Question.COMMITMENT, Question.CONTENT] if asked_to_commit else [Question.CONTENT]
    largest, rest = _divided(_answered(audit))
    failures = [_failure(group, classes, url_of) for group, classes in largest]
    failures += [_finding(found, url_of) for question in questions for found in groups_of_findings(audit, question)]
    failures.sort(key=lambda failure: -failure["count"])
    return failures + [_failure(group, classes, url_of) for group, classes in rest]


def _answered(audit: Audit) -> _Groups:
    groups: defaultdict[_Group, Counter[str]] = defaultdict(Counter)
    for alike in failing_by_answer(audit):
        if alike.ground not in _FOUND:
            answer = _answer(alike) if alike.ground in _EXPLAINED else None
            groups[_Group(alike.verdict, alike.ground, answer)][alike.sop_class_uid] += alike.count
    return groups


def _answer(alike: AnsweredAlike) -> _Answer | None:
    if alike.kind is None:
        return None
    detail = alike.detail
    status_code = str(detail.get("status_code") or "")
    said = f"{status_code} {detail.get('meaning', '')}".strip() or str(detail.get("reason") or "").rstrip(".")
    return _Answer(alike.kind, status_code or str(detail.get("code") or ""), said)


def _divided(groups: _Groups) -> tuple[list[tuple[_Group, Counter[str]]], list[tuple[_Group, Counter[str]]]]:
    """The largest groups, and those beyond them by verdict and ground alone."""
    ordered = sorted(groups.items(), key=lambda item: -item[1].total())
    rest: defaultdict[_Group, Counter[str]] = defaultdict(Counter)
    for group, classes in ordered[MOST_GROUPS:]:
        rest[group._replace(answer=None)] += classes
    return ordered[:MOST_GROUPS], list(rest.items())


def _failure(group: _Group, classes: Counter[str], url_of: Url) -> dict[str, Any]:
    query = {"verdict": group.verdict, "ground": group.ground.value}
    if group.answer is None:
        title, text = title_of_ground(group.ground), remedy_of_ground(group.ground)
    else:
        title, text = _title(group.answer), _remedy(group.ground, group.answer)
        query["code"] = group.answer.code or group.answer.kind.value
        if group.answer.code in ABOUT_THE_SOP_CLASS:
            text = f"{classes_text(classes)}. {text}"
    return {"verdict": group.verdict, "count": classes.total(), "title": title, "text": text, "url": url_of(query)}


def _title(answer: _Answer) -> str:
    if claim := _CLAIMS.get(answer.kind):
        is_warning = answer.code.startswith("0x") and answer.code != "0x0000"
        return f"{claim}{f' with {answer.said}' if is_warning else ''}, and not found at the destination"
    title = "The job failed" if answer.kind is EvidenceKind.JOB_FAILED else title_of_ground(_EXPLAINS[answer.kind])
    return f"{title}: {answer.said}" if answer.said else title


def _remedy(ground: Ground, answer: _Answer) -> str:
    by_code = "" if answer.kind in _CLAIMS else remedy_of_code(answer.code)
    return by_code or remedy_of_ground(_EXPLAINS.get(answer.kind, ground))


def _finding(found: FoundGroup, url_of: Url) -> dict[str, Any]:
    query = {"verdict": found.verdict.value, "asked": found.question.value, "code": found.code or found.kind.value}
    return {
        "verdict": found.verdict.value,
        "count": found.classes.total(),
        "title": found.title,
        "text": f"{_PROVED} {found.text}" if found.verdict is InstanceVerdict.CONFIRMED else found.text,
        "url": url_of(query),
    }
