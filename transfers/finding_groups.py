"""What asking the destination found that is not as it should be, in groups by what was said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import dictionary_description
from pydicom.uid import UID

from audit.judgements import InstanceVerdict
from audit.last_findings import Question, differences_of, found_alike
from audit.models import Audit
from audit.observations import EvidenceKind
from audit.plain_words import KIND_WORDS
from transfers.failure_reasons import failure_reason_text
from transfers.remedies import ABOUT_THE_SOP_CLASS, remedy_of_code, remedy_of_finding, title_of_finding

LOOKED_THROUGH = 500
"""Of so many instances the elements that differ are counted."""
MOST_ELEMENTS = 5
_OTHER_CONTENT = (EvidenceKind.DIFFERENT, EvidenceKind.CONFLICT)


@dataclass(frozen=True, slots=True)
class FoundGroup:
    """Instances with one verdict of which the same was found."""

    question: Question
    verdict: InstanceVerdict
    kind: EvidenceKind
    code: str
    classes: Counter[str]
    """How many there are of each SOP class."""
    title: str
    text: str


def groups_of_findings(audit: Audit, question: Question) -> Iterator[FoundGroup]:
    """Of a sealed audit; in no particular order."""
    classes: dict[tuple[InstanceVerdict, EvidenceKind, str], Counter[str]] = {}
    reasons: dict[tuple[InstanceVerdict, EvidenceKind, str], Counter[str]] = {}
    for alike in found_alike(audit, question):
        key = alike.verdict, alike.kind, alike.code
        classes.setdefault(key, Counter())[alike.sop_class_uid] += alike.count
        reasons.setdefault(key, Counter())[alike.reason] += alike.count
    for (verdict, kind, code), of_class in classes.items():
        said = _said(question, code, reasons[verdict, kind, code])
        title = f"{title_of_finding(kind)}: {said}" if said and kind not in _OTHER_CONTENT else title_of_finding(kind)
        text = " ".join(filter(None, _sentences(audit, question, kind, code, of_class)))
        yield FoundGroup(question, verdict, kind, code, of_class, title, text)


def finding_text(code: str) -> str:
    """What a link limits a table to: the kind of evidence that it names, or the code."""
    if code in set(EvidenceKind):
        return KIND_WORDS[EvidenceKind(code)].lower()
    return f"not committed with {code}" if code.startswith("0x") else f"reason {code}"


def classes_text(classes: Mapping[str, int]) -> str:
    """How many of which SOP class: "38 × Enhanced MR Image Storage, 2 × CT Image Storage"."""
    ordered = sorted(classes.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} × {UID(uid).name}" for uid, count in ordered)


def _said(question: Question, code: str, reasons: Counter[str]) -> str:
    """The first sentence of the most frequent reason, with the number where it has one."""
    if question is Question.COMMITMENT and code.startswith("0x"):
        return f"{code}. {failure_reason_text(int(code, 16)).partition('. ')[0]}"
    ((most, _),) = reasons.most_common(1)
    return most.partition(". ")[0].rstrip(".")


def _sentences(
    audit: Audit, question: Question, kind: EvidenceKind, code: str, classes: Mapping[str, int]
) -> Iterator[str]:
    if code in ABOUT_THE_SOP_CLASS:
        yield f"{classes_text(classes)}."
    if kind in _OTHER_CONTENT:
        yield _differences_text(differences_of(audit, LOOKED_THROUGH))
    if kind is EvidenceKind.COMMITMENT_FAILED:
        yield "That it does not commit does not say that it does not hold them."
    is_of_commitment = question is Question.COMMITMENT
    yield remedy_of_code(code, is_of_commitment=is_of_commitment) or remedy_of_finding(kind)


def _differences_text(details: Iterable[Mapping[str, Any]]) -> str:
    """Which elements differ in how many, and in how many the pixels do; never a value of an element."""
    elements: Counter[str] = Counter()
    pixels = 0
    for detail in details:
        elements.update(_named(path) for path in dict.fromkeys(detail.get("elements", ())))
        pixels += bool(detail.get("pixels_differ"))
    parts = [f"{name} (in {count:,})" for name, count in elements.most_common(MOST_ELEMENTS)]
    if others := len(elements) - len(parts):
        parts.append(f"{others:,} other element{'' if others == 1 else 's'}")
    said = [f"Other elements: {', '.join(parts)}."] if parts else []
    if pixels:
        said.append(f"Other pixels in {pixels:,}.")
    return " ".join(said)


def _named(path: str) -> str:
    """A path of tags with the name of the last of them: "(0008,1030) Study Description"."""
    tag = path.rpartition(".")[2].partition("[")[0].strip("()").replace(",", "")
    try:
        return f"{path} {dictionary_description(int(tag, 16))}"
    except (KeyError, ValueError):
        return path
