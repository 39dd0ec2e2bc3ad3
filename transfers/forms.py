"""What pages let people say: filters of the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from audit.judgements import Ground, InstanceVerdict, StudyVerdict
from audit.last_findings import Question
from audit.models import choices_of
from audit.plain_words import KIND_WORDS
from transfers.feasibility import NotFeasible, Wish, plan_of
from transfers.instance_listing import InstanceFilters, Series
from transfers.listing import Show, TransferFilters
from transfers.models import Destination, Transfer
from transfers.states import State
from transfers.verification import ALL, Level, Verification
from transfers.wording import STATE_WORDS, VERDICT_WORDS, count_text

TEXT_LENGTH = 64
_ASKING = {
    Level.PRESENCE: ("Presence", "Its list of instances."),
    Level.CONTENT: ("Content", "Each instance is read back and compared, too."),
}


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


class VerifyForm(forms.Form):
    """What to ask about a study, and which destination; nothing is sent. What is not said is as it was before."""

    verify = forms.ChoiceField(required=False, choices=[(level.value, level.value) for level in _ASKING])
    sample_percent = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=ALL,
        label="Compare only a sample",
        help_text="Percent of the instances whose content is compared; empty: all.",
    )
    asks_commitment = forms.BooleanField(
        required=False,
        label="Ask it to commit, too",
        help_text="Storage Commitment of DICOM: its report may take a while.",
    )
    destination = forms.ModelChoiceField(
        Destination.objects.all(),
        required=False,
        to_field_name="name",
        empty_label=None,
        label="Where",
        help_text="Another one becomes a transfer of its own, that only asks.",
    )

    def __init__(self, data: Any = None, *, transfer: Transfer) -> None:
        initial = {"verify": _level_of(transfer), "destination": transfer.destination.name}
        super().__init__(data, initial=initial, auto_id="again_%s")
        self._transfer = transfer

    @property
    def levels(self) -> list[dict[str, Any]]:
        """As `templates/components/choice.html` wants them."""
        chosen = self["verify"].value()
        return [
            {"value": level.value, "label": label, "help": text, "is_chosen": chosen == level}
            for level, (label, text) in _ASKING.items()
        ]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if not self.errors:
            destination = found["destination"] = found.get("destination") or self._transfer.destination
            found["verify"] = self._verify(found)
            try:
                plan_of(
                    Wish(destination, verify=found["verify"], asks_commitment=found["asks_commitment"], is_inquiry=True)
                )
            except NotFeasible as error:
                self.add_error(error.field if error.field in self.fields else None, str(error))
        return found

    def _verify(self, found: Mapping[str, Any]) -> str:
        """As `transfers.verification` spells it. Only what names nothing at all asks as it was asked before."""
        percent = found.get("sample_percent")
        if not found.get("verify"):
            verification = self._transfer.verification
            return str(verification) if verification.asks else Level.PRESENCE.value
        level = Level(found["verify"])
        if percent and level is not Level.CONTENT:
            self.add_error("sample_percent", "A sample is one of the content: choose to compare it.")
        return str(Verification(level, percent or ALL)) if level is Level.CONTENT else level.value


def _level_of(transfer: Transfer) -> str:
    level = transfer.verification.level
    return level.value if level in _ASKING else Level.PRESENCE.value


def _called(number: int, series: Series) -> str:
    return f"Series {number}: {count_text(series.instances, 'instance')}"
