"""What pages let people say: filters of the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from audit.judgements import Ground, InstanceVerdict, StudyVerdict
from audit.last_findings import Question
from audit.models import choices_of
from audit.plain_words import KIND_WORDS
from transfers.instance_listing import InstanceFilters, Series
from transfers.listing import Show, TransferFilters
from transfers.models import Destination
from transfers.states import State
from transfers.wording import STATE_WORDS, VERDICT_WORDS, count_text

TEXT_LENGTH = 64


class _DateInput(forms.DateInput):
    input_type = "date"


class _OneOrSeveral(forms.Select):
    """A list of which one is chosen; an address may name several."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:  # noqa: ARG002
        return [value for value in data.getlist(name) if value]


class TransferFilterForm(forms.Form):
    """All of it is in the address, so nothing of it may name a patient; what cannot be understood limits nothing."""

    q = forms.CharField(
        required=False,
        max_length=TEXT_LENGTH,
        label="Study description or UID, or transfer id (no patient names: they would stand in the address)",
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": "Study description or UID, or transfer id", "autocomplete": "off"}
        ),
    )
    state = forms.MultipleChoiceField(required=False, label="State", widget=_OneOrSeveral)
    verdict = forms.MultipleChoiceField(required=False, label="Verdict", widget=_OneOrSeveral)
    destination = forms.CharField(required=False, label="Destination", widget=forms.Select)
    since = forms.DateField(required=False, label="From", widget=_DateInput(format="%Y-%m-%d"))
    until = forms.DateField(required=False, label="Until", widget=_DateInput(format="%Y-%m-%d"))
    show = forms.ChoiceField(
        required=False, choices=[(each.value, each.value) for each in Show], widget=forms.HiddenInput
    )

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.fields["state"].choices = [("", "Any state"), *((state.value, STATE_WORDS[state]) for state in State)]  # type: ignore[attr-defined]
        verdicts = [(verdict.value, VERDICT_WORDS[verdict]) for verdict in StudyVerdict]
        self.fields["verdict"].choices = [("", "Any verdict"), *verdicts]  # type: ignore[attr-defined]
        names = Destination.objects.values_list("name", flat=True)
        self.fields["destination"].widget.choices = [("", "Any destination"), *((name, name) for name in names)]

    def filters(self) -> TransferFilters:
        self.is_valid()
        found = self.cleaned_data
        return TransferFilters(
            show=Show(found.get("show") or Show.ALL),
            states=tuple(found.get("state", ())),
            verdicts=tuple(found.get("verdict", ())),
            destination=found.get("destination", ""),
            since=found.get("since"),
            until=found.get("until"),
            text=found.get("q", ""),
        )


class InstanceFilterForm(forms.Form):
    """Filters of the table of instances; those that links set and no field shows are hidden fields."""

    q = forms.CharField(
        required=False,
        max_length=TEXT_LENGTH,
        label="SOP Instance UID, or a part of it",
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": "SOP Instance UID, or a part of it", "autocomplete": "off"}
        ),
    )
    verdict = forms.ChoiceField(required=False, widget=forms.HiddenInput, choices=choices_of(InstanceVerdict))
    ground = forms.ChoiceField(required=False, widget=forms.HiddenInput, choices=choices_of(Ground))
    code = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    asked = forms.ChoiceField(required=False, widget=forms.HiddenInput, choices=[(each, each) for each in Question])
    contradiction = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    missing = forms.ChoiceField(
        required=False,
        label="Missing step",
        choices=[
            ("", "Any step"),
            ("sent", "Not sent"),
            ("acknowledged", "Not acknowledged"),
            ("committed", "Not committed"),
            ("present", "Not found at the destination"),
            ("compared", "Content not compared"),
            ("different", "Other content there"),
        ],
    )
    evidence = forms.ChoiceField(
        required=False,
        label="Evidence",
        choices=[("", "Any evidence"), *((kind.value, words) for kind, words in KIND_WORDS.items())],
    )
    series = forms.ChoiceField(required=False, label="Series")

    def __init__(self, data: Any, series: Sequence[Series]) -> None:
        super().__init__(data)
        self._series = series
        numbered = ((str(number), _called(number, each)) for number, each in enumerate(series, 1))
        self.fields["series"].choices = [("", "Any series"), *numbered]  # type: ignore[attr-defined]
        if len(series) < 2:
            del self.fields["series"]

    def filters(self) -> InstanceFilters:
        self.is_valid()
        found = self.cleaned_data
        number = found.get("series")
        return InstanceFilters(
            verdict=found.get("verdict", ""),
            ground=found.get("ground", ""),
            missing=found.get("missing", ""),
            code=found.get("code", ""),
            asked=found.get("asked", ""),
            contradiction=found.get("contradiction", ""),
            evidence=found.get("evidence", ""),
            series=self._series[int(number) - 1].uid if number else "",
            text=found.get("q", ""),
        )

    def from_position(self) -> int:
        """From 0; the address counts from 1, as people do."""
        text = self.data.get("from", "")
        return max(0, int(text) - 1) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _called(number: int, series: Series) -> str:
    return f"Series {number}: {count_text(series.instances, 'instance')}"
