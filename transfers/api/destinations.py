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
from transfers.api.views import ApiViewSet
from transfers.connections import describe
from transfers.methods import METHODS
from transfers.models import Destination
from transfers.wire.connection_test import test_connection


class DestinationDocument(serializers.ModelSerializer[Destination]):
    """An archive, and how to speak to it."""

    id = serializers.UUIDField(source="public_id")
    kind = serializers.ChoiceField(words.DESTINATION_KINDS)
    calling_ae_title = serializers.CharField(source="own_ae_title", help_text="Who we say we are.")
    tls = serializers.BooleanField(source="tls_enabled")
    verify = WayToVerify(help_text="How it is asked after sending, where a batch says nothing.")
    methods = serializers.SerializerMethodField(help_text="Keys of the methods that can send to it.")
    url = serializers.SerializerMethodField()

    class Meta:
        model = Destination
        fields = (
            "id",
            "name",
            "kind",
            "host",
            "port",
            "called_ae_title",
            "calling_ae_title",
            "associations",
            "tls",
            "verify",
            "acknowledgement_means_stored",
            "same_uid_means_same_content",
            "methods",
            "url",
        )
        read_only_fields = fields

    def get_methods(self, destination: Destination) -> list[str]:
        return [key for key, method in METHODS.items() if destination.kind in method.kinds]

    def get_url(self, destination: Destination) -> str:
        return str(reverse("api-destination", args=[destination.name], request=self.context["request"]))


class ConnectionDocument(serializers.Serializer[Any]):
    """What a destination answered just now."""

    is_ok = serializers.BooleanField(help_text="Whether it answered the C-ECHO with success.")
    is_reachable = serializers.BooleanField(help_text="Whether it accepted an association.")
    can_be_listed = serializers.BooleanField(
        help_text="Whether it offers Study Root C-FIND, by which it is asked afterwards what is there."
    )
    seconds = serializers.FloatField(help_text="From connecting to the answer of the C-ECHO.")
    error_code = serializers.CharField(help_text="Of what went wrong; empty where all could be asked.")
    text = serializers.ListField(child=serializers.CharField(), help_text="All of it in plain words, line by line.")


class DestinationViews(ApiViewSet):
    """Destinations."""

    queryset = Destination.objects.all()
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
        description="Opens associations and asks for a C-ECHO and for what is accepted. Nothing is sent or stored. "
        "Answers 200 whatever the destination says; it may take as long as the destination's time-outs.",
        request=None,
        responses=ConnectionDocument,
    )
    def check(self, _request: Request, name: str) -> Response:
        report = test_connection(get_object_or_404(Destination, name=name).dicom_endpoint)
        found = {
            "is_ok": report.is_ok,
            "is_reachable": report.is_reachable,
            "can_be_listed": report.can_be_listed,
            "seconds": round(report.seconds, 3),
            "error_code": report.error_code,
            "text": list(describe(report)),
        }
        return Response(found)
