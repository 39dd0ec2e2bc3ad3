"""Where studies can go. Destinations are kept in the admin site and by `manage.py destination`; here they are read."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from transfers.api import words
from transfers.api.fields import WayToVerify
from transfers.api.peers import PeerDocument
from transfers.api.views import ApiViewSet
from transfers.destination_check import DestinationCheck, Side, check_destination
from transfers.methods import METHODS
from transfers.models import Destination
from transfers.rollback import deleting_side
from transfers.wire.connection_test import ConnectionReport
from transfers.wire.service_test import ServiceReport


class DestinationDocument(PeerDocument[Destination]):
    """An archive, and how to speak to it. Its credentials are never shown."""

    kind = serializers.ChoiceField(words.DESTINATION_KINDS)
    address = serializers.CharField(help_text="Host, port and called AE title; or the URL of the service.")
    calling_ae_title = serializers.SerializerMethodField(help_text="Who we say we are; empty over HTTP.")
    service_url = serializers.CharField(source="url", help_text="Of a DICOMweb service or an Orthanc; else empty.")
    ask_at = serializers.SerializerMethodField(
        help_text="Names of other entries for the same archive, by which it is asked, read back and watched too."
    )
    verify = WayToVerify(help_text="How it is asked after sending, where a batch says nothing.")
    reverify_after_days = serializers.SerializerMethodField(
        help_text="When a committed study is asked about again, in days after that."
    )
    methods = serializers.SerializerMethodField(help_text="Keys of the methods that can send to it.")
    can_roll_back = serializers.SerializerMethodField(
        help_text="Whether what was brought there can be removed again, there or at another side of it."
    )
    url = serializers.SerializerMethodField()

    class Meta:
        model = Destination
        fields = (
            "id",
            "name",
            "kind",
            "address",
            "host",
            "port",
            "called_ae_title",
            "calling_ae_title",
            "service_url",
            "username",
            "login",
            "header_names",
            "ask_at",
            "associations",
            "tls",
            "verify",
            "reverify_after_days",
            "offers_commitment",
            "commitment_timeout_seconds",
            "commitment_batch_size",
            "acknowledgement_means_stored",
            "same_uid_means_same_content",
            "methods",
            "can_roll_back",
            "url",
        )
        read_only_fields = fields

    def get_calling_ae_title(self, destination: Destination) -> str:
        return destination.own_ae_title if destination.kind == "dicom" else ""

    def get_ask_at(self, destination: Destination) -> list[str]:
        return [side.name for side in destination.ask_at.all()]

    def get_reverify_after_days(self, destination: Destination) -> list[int]:
        return list(destination.days_until_reverification)

    def get_methods(self, destination: Destination) -> list[str]:
        return [key for key, method in METHODS.items() if destination.kind in method.kinds]

    def get_can_roll_back(self, destination: Destination) -> bool:
        return deleting_side(destination) is not None

    def get_url(self, destination: Destination) -> str:
        return str(reverse("api-destination", args=[destination.name], request=self.context["request"]))


class SideDocument(serializers.Serializer[Any]):
    """What a destination, or another side of the same archive, answered just now."""

    is_ok = serializers.BooleanField(help_text="Whether it answered as it should: a C-ECHO with success, or its login.")
    is_reachable = serializers.BooleanField(help_text="Whether it accepted an association, or answered over HTTP.")
    can_be_listed = serializers.BooleanField(help_text="Whether it can be asked what it holds.")
    can_be_read_back = serializers.BooleanField(
        allow_null=True, help_text="Whether it offers Study Root C-GET; null over HTTP, where that is not asked."
    )
    can_be_asked_to_commit = serializers.BooleanField(
        allow_null=True, help_text="Whether it offers Storage Commitment; null over HTTP."
    )
    tells_changes = serializers.BooleanField(
        allow_null=True, help_text="Whether an Orthanc lets us read its log of changes; null over DICOM."
    )
    says_yes_to_anything = serializers.BooleanField(
        help_text="Whether it lists a study that was made up a moment ago, so that its lists prove nothing."
    )
    seconds = serializers.FloatField(help_text="From connecting to the first answer.")
    error_code = serializers.CharField(help_text="Of what went wrong; empty where all could be asked.")


class OtherSideDocument(SideDocument):
    """Another side of the same archive."""

    destination = serializers.CharField(help_text="Its name.")


class ConnectionDocument(SideDocument):
    """What a destination answered just now, and the other sides of the same archive."""

    all_ok = serializers.BooleanField(help_text="Whether it and every other side answered as they should.")
    ask_at = OtherSideDocument(many=True)
    text = serializers.ListField(child=serializers.CharField(), help_text="All of it in plain words, line by line.")


class DestinationViews(ApiViewSet):
    """Destinations."""

    queryset = Destination.objects.prefetch_related("ask_at")
    serializer_class = DestinationDocument
    lookup_field = "name"
    lookup_url_kwarg = "name"

    @extend_schema(summary="List the destinations")
    def list(self, _request: Request) -> Response:
        return self.page_of(self.get_queryset())

    @extend_schema(summary="Show a destination")
    def retrieve(self, _request: Request, name: str) -> Response:
        return Response(self.get_serializer(get_object_or_404(Destination, name=name)).data)

    @extend_schema(
        summary="Test the connection to a destination",
        description="Asks it, and the other sides of the same archive, whether they answer and what they offer; a "
        "DICOM archive also what it accepts. Nothing is sent or stored. Answers 200 whatever the destination says; it "
        "may take as long as the time-outs of all sides together.",
        request=None,
        responses=ConnectionDocument,
    )
    def check(self, _request: Request, name: str) -> Response:
        return Response(_document(check_destination(get_object_or_404(Destination, name=name))))


def _document(check: DestinationCheck) -> dict[str, Any]:
    return {
        **_of_side(check.own),
        "all_ok": check.is_ok,
        "ask_at": [{"destination": side.destination.name, **_of_side(side)} for side in check.others],
        "text": list(check.describe()),
    }


def _of_side(side: Side) -> dict[str, Any]:
    report = side.report
    over_dicom = report if isinstance(report, ConnectionReport) else None
    over_http = report if isinstance(report, ServiceReport) else None
    return {
        "is_ok": report.is_ok,
        "is_reachable": report.is_reachable,
        "can_be_listed": report.can_be_listed,
        "can_be_read_back": over_dicom.can_be_read_back if over_dicom else None,
        "can_be_asked_to_commit": over_dicom.can_be_asked_to_commit if over_dicom else None,
        "tells_changes": over_http.tells_changes if over_http else None,
        "says_yes_to_anything": bool(over_http and over_http.says_yes_to_anything),
        "seconds": round(report.seconds, 3),
        "error_code": report.error_code,
    }
