"""Answers of a destination made up for tests of the presence rules: one study, whose series are numbered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from audit.entries import ManifestEntry
from tests.manifests import entry
from transfers.errors import TransferError
from transfers.probes.answers import Answer
from transfers.probes.findings import Findings
from transfers.wire.identifiers import Level, Query, Row

STUDY = "2.25.1"
SERIES = f"{STUDY}.0"


def uid(number: int) -> str:
    return f"{STUDY}.{number}"


def entries(count: int) -> list[ManifestEntry]:
    """So many instances in one series."""
    return [entry(number) for number in range(1, count + 1)]


def row(number: int, *, study: str = STUDY, series: str = SERIES, sop_class: str = "") -> Row:
    return Row(study, series, uid(number), sop_class)


def rows(numbers: Iterable[int]) -> Iterator[Row]:
    return (row(number) for number in numbers)


def listed(findings: Findings, named: Iterable[Row], *, at: float = 0.0, error: TransferError | None = None) -> None:
    """A list of the series, asked for at this moment and answered at once."""
    findings.take(Answer(Query(STUDY, SERIES), tuple(named), error, at, at))


def asked(findings: Findings, number: int, named: Iterable[Row] = (), error: TransferError | None = None) -> None:
    """A direct question for an instance."""
    findings.take(Answer(Query(STUDY, SERIES, uid(number)), tuple(named), error))


def counted(findings: Findings, count: int) -> None:
    """How many instances the series has."""
    counts = Row(STUDY, SERIES, "", "", count)
    findings.take(Answer(Query(STUDY, "", level=Level.SERIES), (counts,)))
