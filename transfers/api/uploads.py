"""Files that are sent in parts, and begun again where a connection broke."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType, ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.throttling import BaseThrottle, UserRateThrottle

from transfers import uploads
from transfers.api.fields import Text, WholeNumber
from transfers.api.parsers import Json
from transfers.api.schema import location_of
from transfers.api.views import ApiViewSet, user_of
from transfers.models import Upload

CHUNK_BYTES = 1024 * 1024
OFFSET_DIGITS_MAXIMUM = 18
SIZE_BYTES_MAXIMUM = 2**53 - 1
"""The largest whole number that JSON carries safely; the quota ends long before."""


class UploadDocument(serializers.ModelSerializer[Upload]):
    """A file on its way to us."""

    id = serializers.UUIDField(source="public_id")
    offset = serializers.IntegerField(
        source="received_bytes", help_text="How many bytes have arrived: where the next part begins."
    )
    is_complete = serializers.BooleanField()
    part_bytes_maximum = serializers.SerializerMethodField(help_text="How many bytes a part may have.")
    batch = serializers.UUIDField(
        source="batch.public_id", default=None, allow_null=True, help_text="What it was submitted with, if it was."
    )
    url = serializers.SerializerMethodField()

    class Meta:
        model = Upload
        fields = (
            "id",
            "name",
            "size_bytes",
            "offset",
            "is_complete",
            "part_bytes_maximum",
            "batch",
            "created_at",
            "changed_at",
            "url",
        )
        read_only_fields = fields

    def get_part_bytes_maximum(self, _upload: Upload) -> int:
        return uploads.PART_BYTES_MAXIMUM

    def get_url(self, upload: Upload) -> str:
        return str(reverse("api-upload", args=[upload.public_id], request=self.context["request"]))


class UploadRequest(serializers.Serializer[Any]):
    """What is to come."""

    name = Text(
        max_length=uploads.NAME_CHARACTERS_MAXIMUM, help_text="As you call it; shown to you, never part of a path."
    )
    size_bytes = WholeNumber(
        min_value=0, max_value=SIZE_BYTES_MAXIMUM, help_text="Of the whole file; it counts against the quota from now."
    )


class QuotaDocument(serializers.Serializer[Any]):
    """How much one account may keep here."""

    used_bytes = serializers.IntegerField()
    quota_bytes = serializers.IntegerField()


@extend_schema_serializer(many=False)
class UploadPage(serializers.Serializer[Any]):
    """A page of one's uploads, with the quota."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = UploadDocument(many=True)
    quota = QuotaDocument()


class Bytes(BaseParser):
    """A part: bytes as they are, read in the view, chunk by chunk."""

    media_type = "application/octet-stream"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:  # noqa: ARG002
        return stream


class PartThrottle(UserRateThrottle):
    """Many parts are one upload: a large study must not use up what its sender may ask otherwise."""

    scope = "upload_parts"


class UploadViews(ApiViewSet):
    """One's own uploads; nobody sees another's."""

    problems = {
        "create": (HTTPStatus.INSUFFICIENT_STORAGE,),
        "partial_update": (HTTPStatus.CONFLICT, HTTPStatus.GONE, HTTPStatus.INSUFFICIENT_STORAGE),
        "destroy": (HTTPStatus.CONFLICT,),
    }
    serializer_class = UploadDocument

    def get_queryset(self) -> QuerySet[Upload]:
        if getattr(self, "swagger_fake_view", False):
            return Upload.objects.none()
        return Upload.objects.filter(created_by=user_of(self.request), removed_at__isnull=True).select_related("batch")

    def get_parsers(self) -> list[BaseParser]:
        return [Bytes()] if getattr(self.request, "method", "") == "PATCH" else [Json()]

    def get_throttles(self) -> list[BaseThrottle]:
        return [PartThrottle()] if self.action == "partial_update" else super().get_throttles()

    @extend_schema(summary="List your uploads, and your quota", responses=UploadPage)
    def list(self, request: Request) -> Response:
        answer = self.page_of(self.get_queryset())
        used = uploads.used_by(user_of(request))
        answer.data["quota"] = {"used_bytes": used, "quota_bytes": settings.UPLOAD_QUOTA_BYTES}
        return answer

    @extend_schema(
        summary="Begin an upload",
        request=UploadRequest,
        responses={201: UploadDocument},
        parameters=[location_of(201)],
        examples=[OpenApiExample("A ZIP file", {"name": "study.zip", "size_bytes": 209_715_200}, request_only=True)],
    )
    def create(self, request: Request) -> Response:
        asked = UploadRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        upload = uploads.begin(user_of(request), **asked.validated_data)
        document = self.get_serializer(upload).data
        return Response(document, 201, headers={"Location": document["url"]})

    @extend_schema(summary="Show an upload")
    def retrieve(self, _request: Request, **_address: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(
        summary="Send the next part",
        description="The body is the bytes themselves, at most `part_bytes_maximum` of them. Once this answers 200 "
        "they are on disk. After a broken connection ask for the upload, and go on from its `offset`.",
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses=UploadDocument,
        parameters=[
            OpenApiParameter(
                "Upload-Offset",
                {"type": "integer", "minimum": 0},
                OpenApiParameter.HEADER,
                required=True,
                description="Where this part begins: the `offset` of the upload.",
            )
        ],
    )
    def partial_update(self, request: Request, **_address: Any) -> Response:
        if (request.content_type or "").partition(";")[0].strip().lower() != Bytes.media_type:
            raise UnsupportedMediaType(request.content_type or "")
        upload = self.get_object()
        uploads.append(upload, _offset_of(request), _chunks_of(request))
        return Response(self.get_serializer(upload).data)

    @extend_schema(summary="Delete an upload", responses={204: None})
    def destroy(self, _request: Request, **_address: Any) -> Response:
        uploads.remove(self.get_object())
        return Response(status=204)


def _offset_of(request: Request) -> int:
    text = request.headers.get("Upload-Offset", "")
    if not text.isascii() or not text.isdigit() or len(text) > OFFSET_DIGITS_MAXIMUM:
        message = "Give the offset at which this part begins, in bytes."
        raise ValidationError({"Upload-Offset": [message]})
    return int(text)


def _chunks_of(request: Request) -> Iterator[bytes]:
    """The body as it came, which is none of the parsers' business."""
    while chunk := request.read(CHUNK_BYTES):
        yield chunk
