"""What is submitted in one go: read in the background, it becomes one transfer a study."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from transfers import submissions
from transfers.api.batch_documents import BatchDocument, SkippedDocument, WholeBatchDocument
from transfers.api.batch_requests import (
    IDEMPOTENCY_KEY_CHARACTERS_MAXIMUM,
    FormBatchRequest,
    JsonBatchRequest,
)
from transfers.api.parsers import Json
from transfers.api.schema import location_of
from transfers.api.views import ApiViewSet, user_of
from transfers.models import Batch
from transfers.submitted_files import submit_with_files

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "maxLength": IDEMPOTENCY_KEY_CHARACTERS_MAXIMUM},
    OpenApiParameter.HEADER,
    description="Chosen by you, new for each batch: the same request with the same key, sent again after a broken "
    "connection, answers with the batch that it made before.",
)


EXAMPLES = [
    OpenApiExample(
        "A folder under an import root", {"destination": "archive", "path": "/import/2026-01-31"}, request_only=True
    ),
    OpenApiExample(
        "Uploads as a draft",
        {"destination": "archive", "files": ["9b2a7c1e-6f0d-4a55-8a53-0f4a5a0c7a11"], "start": False},
        request_only=True,
        media_type="application/json",
    ),
    OpenApiExample(
        "A study of a source",
        {"destination": "archive", "source": "research", "studies": ["1.2.840.113619.2.1"], "wait_until_stable": True},
        request_only=True,
        media_type="application/json",
    ),
    OpenApiExample(
        "Only asked about, and nothing sent",
        {"destination": "archive", "path": "/import/2026-01-31", "send": False, "verify": "content"},
        request_only=True,
        media_type="application/json",
    ),
    OpenApiExample(
        "With everything that can be said",
        {
            "destination": "archive",
            "path": "/import/2026-01-31/study.zip",
            "method": "c-store",
            "options": {"associations": 2},
            "verify": "content:15%",
            "commitment": True,
            "rollback": False,
            "send": True,
            "start": True,
            "send_what_can": False,
        },
        request_only=True,
        media_type="application/json",
    ),
]


class BatchViews(ApiViewSet):
    """Batches: what is submitted in one go."""

    problems = {
        "create": (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.INSUFFICIENT_STORAGE),
        "start": (HTTPStatus.CONFLICT,),
        "discard": (HTTPStatus.CONFLICT,),
    }
    queryset = Batch.objects.select_related("created_by", "destination", "source").prefetch_related("uploads")
    parser_classes = (Json, MultiPartParser)

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        shown: dict[str, type[BaseSerializer[Any]]] = {"list": BatchDocument, "skipped": SkippedDocument}
        return shown.get(self.action, WholeBatchDocument)

    @extend_schema(summary="List the batches", responses=BatchDocument(many=True))
    def list(self, _request: Request) -> Response:
        return self.page_of(self.get_queryset())

    @extend_schema(summary="Show a batch", responses=WholeBatchDocument)
    def retrieve(self, _request: Request, **_address: Any) -> Response:
        return self._shown(self.get_object())

    @extend_schema(
        summary="Submit a batch",
        description="What is to be sent, or asked about, is read in the background: this answers at once, and the "
        "batch says how far it is. What cannot be promised at the destination is refused here, with the reason. Files "
        "in the request itself are for small input; large input comes by `uploads/`.",
        request={"application/json": JsonBatchRequest, "multipart/form-data": FormBatchRequest},
        responses={202: WholeBatchDocument},
        parameters=[IDEMPOTENCY_KEY, location_of(202)],
        examples=EXAMPLES,
    )
    def create(self, request: Request) -> Response:
        key = _key_of(request)
        if request.content_type.lower().startswith(MultiPartParser.media_type):
            return self._accepted(self._submit_form(request, key))
        asked = JsonBatchRequest(data=request.data, context={"request": request})
        asked.is_valid(raise_exception=True)
        return self._accepted(submissions.submit(asked.submission(), by=user_of(request), idempotency_key=key))

    @extend_schema(summary="Send a draft", request=None, responses=WholeBatchDocument)
    def start(self, _request: Request, **_address: Any) -> Response:
        batch = self.get_object()
        submissions.start(batch)
        return self._shown(batch)

    @extend_schema(summary="Decide against a batch", request=None, responses=WholeBatchDocument)
    def discard(self, _request: Request, **_address: Any) -> Response:
        batch = self.get_object()
        submissions.discard(batch)
        return self._shown(batch)

    @extend_schema(summary="List what was left out of a batch", responses=SkippedDocument(many=True))
    def skipped(self, _request: Request, **_address: Any) -> Response:
        return self.page_of(self.get_object().skipped.all())

    def _submit_form(self, request: Request, key: str) -> Batch:
        asked = FormBatchRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        return submit_with_files(asked.submission(), asked.received, by=user_of(request), idempotency_key=key)

    def _accepted(self, batch: Batch) -> Response:
        document = self.get_serializer(batch).data
        return Response(document, 202, headers={"Location": document["url"]})

    def _shown(self, batch: Batch) -> Response:
        return Response(self.get_serializer(batch).data)


def _key_of(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > IDEMPOTENCY_KEY_CHARACTERS_MAXIMUM or not key.isprintable():
        message = f"Give at most {IDEMPOTENCY_KEY_CHARACTERS_MAXIMUM} printable characters."
        raise ValidationError({"Idempotency-Key": [message]})
    return key
