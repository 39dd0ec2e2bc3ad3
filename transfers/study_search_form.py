"""What a page lets people search the studies of a source by. It names patients, so nothing of it is kept."""

from __future__ import annotations

from typing import Any

from django import forms

from transfers.sources.orthanc_studies import StudyQuery

LONGEST = 64
"""Of an LO and an SH, and more than any CS has (PS3.5 6.2)."""


class StudySearchForm(forms.Form):
    """Any of it may be left empty."""

    patient_id = forms.CharField(
        required=False, max_length=LONGEST, label="Patient ID", help_text="* and ? stand for what is not known."
    )
    accession_number = forms.CharField(required=False, max_length=LONGEST, label="Accession number")
    studied_from = forms.DateField(required=False, label="Studied from", widget=forms.DateInput({"type": "date"}))
    studied_until = forms.DateField(required=False, label="Studied until", widget=forms.DateInput({"type": "date"}))
    modality = forms.RegexField(
        r"\A[A-Za-z0-9_]{1,16}\Z", required=False, label="Modality", help_text="As DICOM spells it: CT, MR, US."
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        for field in self.fields.values():
            field.widget.attrs |= {"autocomplete": "off"}

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        first, last = found.get("studied_from"), found.get("studied_until")
        if first and last and first > last:
            self.add_error("studied_until", "It ends before it begins.")
        return found

    def query(self) -> StudyQuery:
        """Of a form that is valid."""
        asked = self.cleaned_data
        first, last = (_date(asked[name]) for name in ("studied_from", "studied_until"))
        return StudyQuery(
            patient_id=asked["patient_id"],
            accession_number=asked["accession_number"],
            study_date=f"{first}-{last}" if first or last else "",
            modality=asked["modality"].upper(),
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said at all."""
        return not any(str(self[name].value() or "").strip() for name in self.fields)


def _date(day: Any) -> str:
    return day.strftime("%Y%m%d") if day else ""
