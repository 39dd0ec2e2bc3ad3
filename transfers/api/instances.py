"""The instances of a transfer, each with its evidence."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import InstanceAudit
from audit.reports import instance_rows
from transfers.api import words
from transfers.api.filters import InstanceFilters
from transfers.api.paging import ByPosition
from transfers.api.views import ApiViewSet
from transfers.models import Transfer


class EvidenceDocument(serializers.Serializer[Any]):
    """A fact about an instance, as it was observed."""

    kind = serializers.ChoiceField(words.EVIDENCE_KINDS)
    at = serializers.DateTimeField()
    round = serializers.IntegerField()
    detail = serializers.DictField()
    text = serializers.CharField(help_text="The same in plain words.")


class InstanceDocument(serializers.Serializer[Any]):
    """An instance of the manifest. Until its transfer is judged it is refuted or pending."""

    position = serializers.IntegerField(help_text="Its place in the manifest, from 0.")
    sop_instance_uid = serializers.CharField()
    sop_class_uid = serializers.CharField()
    series_instance_uid = serializers.CharField()
    transfer_syntax_uid = serializers.CharField()
    size_bytes = serializers.IntegerField(help_text="Of its data set.")
    verdict = serializers.ChoiceField(words.INSTANCE_VERDICTS)
    ground = serializers.ChoiceField(words.GROUNDS, allow_null=True, help_text="What decided; null while pending.")
    why = serializers.CharField(help_text="The ground in plain words; empty while pending.")
    is_contradiction = serializers.BooleanField(help_text="Two kinds of proof deny each other.")
    was_there_before = serializers.ChoiceField(
        words.BEFORE, help_text="Whether the destination held the UID before anything was sent."
    )
    evidence = EvidenceDocument(many=True)


class InstanceViews(ApiViewSet):
    """The instances of a transfer."""

    queryset = InstanceAudit.objects.none()
    serializer_class = InstanceDocument
    filterset_class = InstanceFilters
    pagination_class = ByPosition

    @extend_schema(summary="List the instances of a transfer", responses=InstanceDocument(many=True))
    def list(self, _request: Request, id: Any) -> Response:  # noqa: A002  the name in the address
        transfer = get_object_or_404(Transfer.objects.select_related("audit"), public_id=id)
        self.filterset_kwargs = {"audit": transfer.audit}
        page = self.paginate_queryset(self.filter_queryset(transfer.audit.instances.all()))
        return self.get_paginated_response(list(instance_rows(transfer.audit, page or [])))
