"""Walks the hash chain of one audit, beside the rows that it covers."""

from __future__ import annotations

import json
from array import array
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from audit.breaks import Break, BreakKind
from audit.canonical import LinesDigest
from audit.chain import head_of
from audit.evidence_reader import EvidenceReader, Instances, Span
from audit.found_columns import FoundColumns
from audit.links import FIRST, IDENTITY, OUTCOME, LinkFacts, LinkKind, identity_digest, outcome_digest
from audit.models import Audit, Link
from audit.row_lines import evidence_count, evidence_ids, instance_lines, newest_evidence
from audit.runs import Run, count_of, numbers_of, runs_of, text_of

_COLUMNS = tuple(dict.fromkeys(("continues_id", *IDENTITY, *OUTCOME)))


_DETAIL = {
    LinkKind.OPENED: {"identity", "instances"},
    LinkKind.ADOPTED: {"identity", "instances", "manifest", "rows"},
    LinkKind.EVIDENCE: {"rows"},
    LinkKind.WAS_THERE_BEFORE: {"noted"},
    LinkKind.SEALED: {"outcome"},
}
_FIRST = {LinkKind.OPENED, LinkKind.ADOPTED}


class StoredLink(NamedTuple):
    """A link as it is in the database now."""

    position: int
    kind: str
    at: datetime
    detail: str
    content_sha256: str
    sha256: str

    @property
    def is_readable(self) -> bool:
        """Whether it is one that the ledger writes: anybody can give a link the digest that it needs."""
        with suppress(ValueError, TypeError, KeyError):
            needed = _DETAIL[LinkKind(self.kind)]
            return (
                needed <= self.says.keys()
                and (self.kind in _FIRST) == (self.position == 0)
                and count_of(self.runs) >= 0
            )
        return False

    @property
    def says(self) -> dict[str, Any]:
        return dict(json.loads(self.detail))

    @property
    def runs(self) -> list[Run]:
        """The ids of the rows of evidence that it covers."""
        return list(self.says.get("rows", ()))


class _Broken(Exception):
    """The walk ends here."""

    def __init__(self, kind: BreakKind, link: int, says: str) -> None:
        super().__init__(says)
        self.kind, self.link, self.says = kind, link, says


class ChainWalk:
    """One audit, read within one snapshot of the database.

    Links are looked at one by one from the first; so where one is broken, all before it are whole.
    """

    def __init__(self, audit_pk: int) -> None:
        self._pk = audit_pk
        self._audit = Audit.objects.values(*_COLUMNS).get(pk=audit_pk)
        self.links = self.rows = 0
        """How many were looked at."""

    def first_break(self) -> Break | None:
        try:
            self._walk()
        except _Broken as broken:
            return Break(broken.kind, broken.says, audit=self._audit["public_id"], link=broken.link)
        except (ValueError, TypeError, KeyError):
            text = "A link says of its rows what the ledger never writes."
            return Break(BreakKind.LINK_CHANGED, text, audit=self._audit["public_id"])
        return None

    def _walk(self) -> None:
        links, broken = self._whole_links()
        self.links = len(links)
        if links:
            self._check_rows(links, is_whole=broken is None)
        if broken is not None:
            raise broken

    # The links among themselves

    def _whole_links(self) -> tuple[list[StoredLink], _Broken | None]:
        """The links up to the first that does not follow from those before it, and what is wrong with that one."""
        rows = Link.objects.filter(audit=self._pk).order_by("position").values_list(*StoredLink._fields)
        whole: list[StoredLink] = []
        previous = self._previous_of_first()
        for link in map(StoredLink._make, rows.iterator(chunk_size=2_000)):
            if broken := self._fault_of(link, whole, previous):
                return whole, broken
            whole.append(link)
            previous = link.sha256
        return whole, self._fault_of_end(whole)

    def _previous_of_first(self) -> str:
        continued = self._audit["continues_id"]
        return head_of(continued).sha256 if continued is not None else FIRST

    def _fault_of(self, link: StoredLink, whole: list[StoredLink], previous: str) -> _Broken | None:
        expected = len(whole)
        if link.position != expected:
            return _Broken(BreakKind.LINK_MISSING, expected, f"Link {expected} is missing.")
        if whole and whole[-1].kind == LinkKind.SEALED:
            return _Broken(BreakKind.LINK_ADDED, expected, f"Link {expected} was added after the audit was sealed.")
        facts = LinkFacts(self._audit["public_id"], *link[:-1])
        if facts.digest(previous) == link.sha256 and link.is_readable:
            return None
        after = "the link before it" if expected else "the audit that this one continues, if any"
        return _Broken(
            BreakKind.LINK_CHANGED,
            expected,
            f"Link {expected} ({link.kind}) was changed, or {after}: its digest is another than what it says gives.",
        )

    def _fault_of_end(self, whole: list[StoredLink]) -> _Broken | None:
        end = len(whole)
        if not whole:
            return _Broken(BreakKind.LINK_MISSING, 0, "Link 0 is missing: the opening, and every other.")
        if self._audit["sealed_at"] is not None and whole[-1].kind != LinkKind.SEALED:
            return _Broken(BreakKind.LINK_MISSING, end, f"Link {end} is missing: the sealing.")
        return None

    # The rows

    def _check_rows(self, links: list[StoredLink], *, is_whole: bool) -> None:
        found = FoundColumns(self._audit["continues_id"], is_known=links[0].kind == LinkKind.OPENED)
        judged = LinesDigest()
        instances = self._check_opening(links[0], found, judged)
        found.know(instances)
        self._check_evidence(links, instances, found)
        if links[-1].kind == LinkKind.SEALED:
            self._check_sealing(links[-1], judged.hexdigest())
        if is_whole:
            self._check_no_more(links, found)

    def _check_opening(self, link: StoredLink, found: FoundColumns, judged: LinesDigest) -> Instances:
        """What the audit is about, and its manifest."""
        says = link.says
        if identity_digest(self._audit) != says["identity"]:
            raise _Broken(BreakKind.ROW_CHANGED, link.position, "The row of the audit was changed: what it is about.")
        manifest, pks = LinesDigest(), array("q")
        for line in instance_lines(self._pk):
            _compare_instances(link, len(pks), line.position, says["instances"])
            pks.append(line.pk)
            manifest.add([line.manifest])
            judged.add([line.judged])
            found.begin(line)
        if len(pks) < says["instances"]:
            raise _instance_missing(link, len(pks))
        if manifest.hexdigest() != says.get("manifest", link.content_sha256):
            text = "The row of an instance was changed: what the manifest says of it."
            raise _Broken(BreakKind.ROW_CHANGED, link.position, text)
        return Instances(pks)

    def _check_evidence(self, links: list[StoredLink], instances: Instances, found: FoundColumns) -> None:
        covering = [(link, link.runs) for link in links if link.kind in _COVERING]
        covering = [(link, runs) for link, runs in covering if runs]
        reader = EvidenceReader(_spans(covering, newest_evidence()), instances)
        for number, (link, runs) in enumerate(covering):
            digest, expected = LinesDigest(), numbers_of(runs)
            for row in reader.rows_of(number):
                _compare_ids(link, next(expected, None), row.pk)
                digest.add([row.line])
                if row.sent_sha256:
                    found.send(row.instance_pk, row.sent_sha256)
                self.rows += 1
            _compare_ids(link, next(expected, None), None)
            if digest.hexdigest() != link.content_sha256:
                text = f"A row of evidence was changed: one of those with the ids {text_of(runs)}."
                raise _Broken(BreakKind.ROW_CHANGED, link.position, text)
        for link in links:
            if link.kind == LinkKind.WAS_THERE_BEFORE:
                found.note(link.says["noted"])

    def _check_sealing(self, link: StoredLink, judged: str) -> None:
        if outcome_digest(self._audit) != link.says["outcome"]:
            text = "The row of the audit was changed: its verdict, proof, reason, counts or time of sealing."
            raise _Broken(BreakKind.ROW_CHANGED, link.position, text)
        if judged != link.content_sha256:
            text = "The row of an instance was changed: its verdict, its ground, its digest or what was there before."
            raise _Broken(BreakKind.ROW_CHANGED, link.position, text)

    def _check_no_more(self, links: list[StoredLink], found: FoundColumns) -> None:
        """What no link covers."""
        last = links[-1].position
        if evidence_count(self._pk) != self.rows:
            known = {pk for link in links for pk in numbers_of(link.runs)}
            added = runs_of(pk for pk in evidence_ids(self._pk) if pk not in known)
            text = f"Evidence was added that no link covers: rows with the ids {text_of(added)}."
            raise _Broken(BreakKind.ROW_ADDED, last, text)
        if (position := found.first_changed()) is not None:
            text = (
                f"The row of instance no. {position + 1:,} was changed: its digest, or what was there before, is "
                "other than the evidence and the notes say."
            )
            raise _Broken(BreakKind.ROW_CHANGED, last, text)


_COVERING = {LinkKind.EVIDENCE, LinkKind.ADOPTED}


def _spans(covering: list[tuple[StoredLink, list[Run]]], newest: int) -> list[Span]:
    """Each from behind the one before, so that what was put between is seen; none beyond the newest row there is."""
    spans: list[Span] = []
    for _, runs in covering:
        first, last = runs[0][0], min(runs[-1][0] + runs[-1][1] - 1, newest)
        spans.append((min(first, spans[-1][1] + 1) if spans else first, last))
    return spans


def _compare_instances(link: StoredLink, expected: int, position: int, count: int) -> None:
    if expected >= count:
        text = f"Instance no. {position + 1:,} was added: there were {count:,}."
        raise _Broken(BreakKind.ROW_ADDED, link.position, text)
    if position != expected:
        raise _instance_missing(link, expected)


def _instance_missing(link: StoredLink, position: int) -> _Broken:
    return _Broken(BreakKind.ROW_MISSING, link.position, f"Instance no. {position + 1:,} is missing.")


def _compare_ids(link: StoredLink, expected: int | None, stored: int | None) -> None:
    if expected == stored:
        return
    if stored is None or (expected is not None and expected < stored):
        raise _Broken(BreakKind.ROW_MISSING, link.position, f"The row of evidence with the id {expected} is missing.")
    raise _Broken(BreakKind.ROW_ADDED, link.position, f"The row of evidence with the id {stored} was added.")
