"""What the studies of a source are searched by."""

from __future__ import annotations

import pytest

from transfers.sources.orthanc_studies import StudyQuery
from transfers.study_search_form import StudySearchForm


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ({}, StudyQuery()),
        ({"patient_id": "P-1*", "accession_number": "A7"}, StudyQuery("P-1*", "A7")),
        ({"studied_from": "2026-01-02", "studied_until": "2026-01-31"}, StudyQuery(study_date="20260102-20260131")),
        ({"studied_from": "2026-01-02"}, StudyQuery(study_date="20260102-")),
        ({"studied_until": "2026-01-31"}, StudyQuery(study_date="-20260131")),
        ({"modality": "mr"}, StudyQuery(modality="MR")),
    ],
)
def test_what_is_said_becomes_a_query(said: dict[str, str], query: StudyQuery) -> None:
    form = StudySearchForm(said)

    assert form.is_valid(), form.errors
    assert form.query() == query
    assert form.is_empty == (not said)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"studied_from": "2026-02-01", "studied_until": "2026-01-01"}, "studied_until"),
        ({"studied_from": "yesterday"}, "studied_from"),
        ({"modality": "MR*"}, "modality"),
        ({"patient_id": "x" * 65}, "patient_id"),
    ],
)
def test_what_cannot_be_asked_is_refused(said: dict[str, str], field: str) -> None:
    assert list(StudySearchForm(said).errors) == [field]
