"""What lists can be limited to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django_filters import rest_framework as filters
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from audit.cells import Cell
from audit.judgements import InstanceVerdict
from audit.live import LiveAudit
from audit.models import UID_MAXIMUM_LENGTH, Audit, Evidence, InstanceAudit
from transfers import listing
from transfers.api import words
from transfers.models import Transfer

TEXT_CHARACTERS_MAXIMUM = 200
YES_OR_NO = ("true", "false")
ALARMS = {"overdue": listing.overdue, "missing": listing.missing}


def _choices(values: Sequence[str]) -> list[tuple[str, str]]:
    return [(value, value) for value in values]


class FilterBackend(filters.DjangoFilterBackend):  # type: ignore[misc]
    """Tells the filters what the view knows, and refuses empty values, which would show more than was asked for."""

    def get_filterset_kwargs(self, request: Request, queryset: QuerySet[Any], view: Any) -> dict[str, Any]:
        given = self.get_filterset_class(view, queryset)
        for name, values in request.query_params.lists():
            declared = given.base_filters.get(name) if given else None
            if declared is not None and not isinstance(declared, filters.CharFilter) and not all(values):
                raise ValidationError({name: ["Give a value, or leave it out."]})
        kwargs: dict[str, Any] = super().get_filterset_kwargs(request, queryset, view)
        return kwargs | getattr(view, "filterset_kwargs", {})


class Instant(filters.IsoDateTimeFilter):  # type: ignore[misc]
    """In UTC: not every database knows every offset, nor does every instant have one in UTC."""

    def filter(self, rows: QuerySet[Any], value: datetime | None) -> QuerySet[Any]:
        if value is None:
            return rows
        try:
            instant = value.astimezone(UTC)
        except OverflowError:
            instant = value.replace(tzinfo=UTC)
        filtered: QuerySet[Any] = super().filter(rows, instant)
        return filtered


class TransferFilters(filters.FilterSet):  # type: ignore[misc]
    """Of the list of transfers."""

    state = filters.MultipleChoiceFilter(choices=_choices(words.TRANSFER_STATES))
    verdict = filters.MultipleChoiceFilter(choices=_choices(words.STUDY_VERDICTS))
    destination = filters.CharFilter(
        field_name="destination__name", max_length=64, help_text="The name of a destination."
    )
    batch = filters.UUIDFilter(field_name="batch__public_id", help_text="The id of a batch.")
    method = filters.ChoiceFilter(choices=_choices(words.METHOD_KEYS))
    overdue = filters.ChoiceFilter(
        choices=_choices(YES_OR_NO),
        method="by_alarm",
        help_text="Whether a report of storage commitment did not come in time, and it was not asked for again since.",
    )
    missing = filters.ChoiceFilter(
        choices=_choices(YES_OR_NO),
        method="by_alarm",
        help_text="Whether a study that had been committed lacks instances, and nobody has said to have seen it.",
    )
    created_after = Instant(field_name="created_at", lookup_expr="gte")
    created_before = Instant(field_name="created_at", lookup_expr="lt")
    q = filters.CharFilter(
        method="about",
        max_length=TEXT_CHARACTERS_MAXIMUM,
        help_text="The beginning of a Study Instance UID or of a transfer's id, or words of the study's description. "
        "Never a patient's name: it would stand in the address.",
    )

    class Meta:
        model = Transfer
        fields: tuple[str, ...] = ()

    def by_alarm(self, transfers: QuerySet[Transfer], name: str, value: str) -> QuerySet[Transfer]:
        alarm = ALARMS[name]()
        return transfers.filter(alarm if value == "true" else ~alarm)

    def about(self, transfers: QuerySet[Transfer], _name: str, text: str) -> QuerySet[Transfer]:
        return transfers.filter(listing.about(text))


class InstanceFilters(filters.FilterSet):  # type: ignore[misc]
    """Of the instances of a transfer."""

    verdict = filters.MultipleChoiceFilter(choices=_choices(words.INSTANCE_VERDICTS), method="decided")
    ground = filters.MultipleChoiceFilter(choices=_choices(words.GROUNDS))
    evidence = filters.ChoiceFilter(
        choices=_choices(words.EVIDENCE_KINDS), method="having", help_text="Those with evidence of this kind."
    )
    without_evidence = filters.ChoiceFilter(
        choices=_choices(words.EVIDENCE_KINDS), method="lacking", help_text="Those without evidence of this kind."
    )
    series = filters.CharFilter(
        field_name="series_instance_uid", max_length=UID_MAXIMUM_LENGTH, help_text="A Series Instance UID."
    )
    q = filters.CharFilter(
        field_name="sop_instance_uid",
        lookup_expr="startswith",
        max_length=UID_MAXIMUM_LENGTH,
        help_text="The beginning of a SOP Instance UID.",
    )

    class Meta:
        model = InstanceAudit
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, audit: Audit | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._audit = audit

    def decided(self, instances: QuerySet[InstanceAudit], name: str, values: Sequence[str]) -> QuerySet[InstanceAudit]:
        """While the audit is open no row has its verdict yet: what the evidence refutes is found by its cell."""
        if not values or self._audit is None or self._audit.is_sealed:
            return instances.filter(**{f"{name}__in": values}) if values else instances
        cells = LiveAudit(self._audit.pk).cells
        refuted = [position for position, cell in enumerate(cells) if cell == Cell.REFUTED]
        found = Q(pk__in=[])
        if InstanceVerdict.REFUTED in values:
            found |= Q(position__in=refuted)
        if InstanceVerdict.PENDING in values:
            found |= ~Q(position__in=refuted)
        return instances.filter(found)

    def having(self, instances: QuerySet[InstanceAudit], _name: str, kind: str) -> QuerySet[InstanceAudit]:
        return instances.filter(self._evidence(kind))

    def lacking(self, instances: QuerySet[InstanceAudit], _name: str, kind: str) -> QuerySet[InstanceAudit]:
        return instances.exclude(self._evidence(kind))

    def _evidence(self, kind: str) -> Any:
        """Of the whole chain, as the report shows it."""
        chain = [audit.pk for audit in self._audit.chain()] if self._audit else []
        same = Evidence.objects.filter(
            instance__audit__in=chain, instance__sop_instance_uid=OuterRef("sop_instance_uid"), kind=kind
        )
        return Exists(same)
