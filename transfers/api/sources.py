"""Where studies are taken from. Sources are kept in the admin site and by `manage.py source`, and searched here."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from transfers.api import words
from transfers.api.fields import Text, WholeNumber
from transfers.api.peers import PeerDocument
from transfers.api.requests import StrictRequest
from transfers.api.views import ApiViewSet
from transfers.methods import METHODS
from transfers.models import Source
from transfers.source_check import check_source
from transfers.sources.orthanc_studies import MOST_FOUND, StudyQuery, search_studies

LONGEST = 64
"""Of an LO and a UI; an SH and a CS are shorter (PS3.5 6.2)."""


class SourceDocument(PeerDocument[Source]):
    """An archive whose studies can be sent. Its credentials are never shown."""

    kind = serializers.ChoiceField(words.SOURCE_KINDS)
    service_url = serializers.CharField(source="url", help_text="Of its REST API.")
    methods = serializers.SerializerMethodField(help_text="Keys of the methods by which its studies can be sent.")
    url = serializers.SerializerMethodField()

    class Meta:
        model = Source
        fields = (
            "id",
            "name",
            "kind",
            "service_url",
            "username",
            "login",
            "header_names",
            "connections",
            "tls",
            "methods",
            "url",
        )
        read_only_fields = fields

    def get_methods(self, source: Source) -> list[str]:
        return [key for key, method in METHODS.items() if source.kind in method.sources]

    def get_url(self, source: Source) -> str:
        return str(reverse("api-source", args=[source.name], request=self.context["request"]))


class SourceConnectionDocument(serializers.Serializer[Any]):
    """What a source answered just now."""

    is_ok = serializers.BooleanField(help_text="Whether it let us in, and its studies can be searched.")
    is_reachable = serializers.BooleanField()
    seconds = serializers.FloatField(help_text="From connecting to the first answer.")
    error_code = serializers.CharField(help_text="Of what went wrong; empty where all could be asked.")
    text = serializers.ListField(child=serializers.CharField(), help_text="All of it in plain words, line by line.")


class StudySearchRequest(StrictRequest):
    """What studies are searched by; what is left out, or empty, is not asked."""

    patient_id = Text(
        required=False, allow_blank=True, max_length=LONGEST, help_text="* and ? stand for what is not known."
    )
    accession_number = Text(required=False, allow_blank=True, max_length=LONGEST)
    study_instance_uid = Text(required=False, allow_blank=True, max_length=LONGEST)
    modality = serializers.RegexField(
        r"\A[A-Z0-9_]{0,16}\Z", required=False, allow_blank=True, help_text="As DICOM spells it: CT, MR, US."
    )
    studied_from = serializers.DateField(required=False, allow_null=True, help_text="The first day.")
    studied_until = serializers.DateField(required=False, allow_null=True, help_text="The last day.")
    limit = WholeNumber(default=MOST_FOUND, min_value=1, max_value=MOST_FOUND)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, last = attrs.get("studied_from"), attrs.get("studied_until")
        if first and last and first > last:
            raise serializers.ValidationError({"studied_until": ["It ends before it begins."]})
        return attrs

    def query(self) -> StudyQuery:
        """Of the validated data."""
        asked = self.validated_data
        first, last = (
            day.strftime("%Y%m%d") if (day := asked.get(name)) else "" for name in ("studied_from", "studied_until")
        )
        return StudyQuery(
            patient_id=asked.get("patient_id", ""),
            accession_number=asked.get("accession_number", ""),
            study_date=f"{first}-{last}" if first or last else "",
            modality=asked.get("modality", ""),
            study_instance_uid=asked.get("study_instance_uid", ""),
        )


class FoundStudyDocument(serializers.Serializer[Any]):
    """A study that a source holds, as it describes it. It names a patient: nothing of it is kept here."""

    source_id = serializers.CharField(help_text="By what the source knows it: its Orthanc ID.")
    study_instance_uid = serializers.CharField()
    patient_id = serializers.CharField()
    patient_name = serializers.CharField()
    accession_number = serializers.CharField()
    study_date = serializers.CharField(help_text="YYYYMMDD, as the source has it.")
    description = serializers.CharField()
    series = serializers.IntegerField()
    is_stable = serializers.BooleanField(help_text="Whether nothing came for it for a while, as the source sees it.")


class StudySearchDocument(serializers.Serializer[Any]):
    """What was found."""

    results = FoundStudyDocument(many=True)
    has_more = serializers.BooleanField(help_text="Whether more than `limit` match: say more of what is wanted.")


class SourceViews(ApiViewSet):
    """Sources."""

    problems = {"studies": (HTTPStatus.CONFLICT, HTTPStatus.BAD_GATEWAY)}
    queryset = Source.objects.all()
    serializer_class = SourceDocument
    lookup_field = "name"
    lookup_url_kwarg = "name"

    @extend_schema(summary="List the sources")
    def list(self, _request: Request) -> Response:
        return self.page_of(self.get_queryset())

    @extend_schema(summary="Show a source")
    def retrieve(self, _request: Request, name: str) -> Response:
        return Response(self.get_serializer(get_object_or_404(Source, name=name)).data)

    @extend_schema(
        summary="Test the connection to a source",
        description="Nothing is taken from it. Answers 200 whatever the source says.",
        request=None,
        responses=SourceConnectionDocument,
    )
    def check(self, _request: Request, name: str) -> Response:
        check = check_source(get_object_or_404(Source, name=name))
        report = check.report
        document = {
            "is_ok": check.is_ok,
            "is_reachable": report.is_reachable,
            "seconds": round(report.seconds, 3),
            "error_code": report.error_code,
            "text": list(check.describe()),
        }
        return Response(document)

    @extend_schema(
        summary="Search the studies of a source",
        description="What is searched by names patients, so it is in the body, which no log of a web server keeps; and "
        "so do the answers, which are kept nowhere. Of each value 200 characters are told, and no control character.",
        request=StudySearchRequest,
        responses=StudySearchDocument,
    )
    def studies(self, request: Request, name: str) -> Response:
        asked = StudySearchRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        source = get_object_or_404(Source, name=name)
        limit: int = asked.validated_data["limit"]
        found = search_studies(source.interactive_endpoint, asked.query(), limit + 1)
        document = {"results": [asdict(study) for study in found[:limit]], "has_more": len(found) > limit}
        return Response(document, headers={"Cache-Control": "no-store"})
