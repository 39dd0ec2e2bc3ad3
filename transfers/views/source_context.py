"""What a page shows of a source: its studies, searched for whoever is logged in, and its aliases. Nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import QueryDict

from transfers.aliases import Alias
from transfers.errors import RequestError
from transfers.models import Source
from transfers.passwords import PasswordUnreadable
from transfers.sources.orthanc_studies import MOST_FOUND, FoundStudy, search_studies
from transfers.study_search_form import StudySearchForm
from transfers.wire.orthanc_aliases import aliases_of


def studies_context(source: Source | None, said: QueryDict | None, *, searches: bool) -> dict[str, Any]:
    """For `submissions/_studies.html`. `said`: what was posted, if anything was."""
    form = StudySearchForm(said)
    chosen = said.getlist("studies") if said is not None else []
    found, error = _search(source, form) if searches and source is not None else ([], "")
    shown = {study.source_id for study in found}
    return {
        "search": form,
        "source_name": source.name if source else "",
        "was_searched": searches and not error and not form.errors,
        "search_error": error,
        "found": [_row(study, chosen) for study in found],
        "chosen_before": [each for each in chosen if each not in shown],
        "is_cut": len(found) >= MOST_FOUND,
        "most_found": MOST_FOUND,
    }


def aliases_at(source: Source) -> tuple[tuple[Alias, ...], str]:
    """All that it has; or why it could not be asked."""
    try:
        return aliases_of(source.interactive_endpoint), ""
    except (RequestError, PasswordUnreadable) as error:
        return (), str(error)


def _search(source: Source, form: StudySearchForm) -> tuple[Sequence[FoundStudy], str]:
    """The newest first; or why it could not be asked."""
    if not form.is_valid():
        return (), ""
    try:
        found = search_studies(source.interactive_endpoint, form.query())
    except (RequestError, PasswordUnreadable) as error:
        return (), str(error)
    return sorted(found, key=lambda study: study.study_date, reverse=True), ""


def _row(study: FoundStudy, chosen: Sequence[str]) -> dict[str, Any]:
    return {
        "study": study,
        "title": study.description or "No description",
        "date": _date_text(study.study_date),
        "is_chosen": study.source_id in chosen,
    }


def _date_text(date: str) -> str:
    """As the source has it where it is no date of DICOM."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdigit() else date
