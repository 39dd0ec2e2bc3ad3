"""Transfers: what was sent, where it is, and what is proved of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from transfers import services, submissions
from transfers.api.batch_documents import WholeBatchDocument
from transfers.api.fields import Text, WayToVerify, YesOrNo
from transfers.api.filters import TransferFilters
from transfers.api.receipt_documents import ReceiptDocument
from transfers.api.report_documents import ReportDocument
from transfers.api.requests import StrictRequest
from transfers.api.schema import location_of
from transfers.api.transfer_documents import TransferDocument, WholeTransferDocument
from transfers.api.views import ApiViewSet, user_of
from transfers.feasibility import NotFeasible, Plan, Wish, asked_again, plan_of
from transfers.models import Destination, Transfer, TransferEvent
from transfers.receipts import Form, parts_of, receipt_of
from transfers.reports import report_parts


class EventDocument(serializers.ModelSerializer[TransferEvent]):
    """Something that happened to a transfer."""

    detail = serializers.DictField()

    class Meta:
        model = TransferEvent
        fields = ("name", "at", "detail")
        read_only_fields = fields


class TakenBackDocument(serializers.Serializer[Any]):
    """What a roll-back would remove, and what it would leave."""

    instances = serializers.IntegerField(help_text="That this transfer brought, and that were not there before.")
    stays = serializers.IntegerField(
        help_text="Of the study: there before, or nobody knows whether they were, or never sent."
    )


class VerifyRequest(StrictRequest):
    """Whom to ask, and how."""

    verify = WayToVerify(
        required=False,
        help_text="By default as the transfer was verified before (another destination: as its policy says), else by "
        "presence.",
    )
    commitment = YesOrNo(
        default=False, help_text="Also ask it to commit to what it holds, be it that a report is overdue."
    )
    destination = Text(
        required=False,
        max_length=64,
        help_text="The name of another destination, which is asked about the same instances.",
    )

    def validate_destination(self, name: str) -> Destination:
        destination = Destination.objects.filter(name=name).first()
        if destination is None:
            raise serializers.ValidationError("There is no destination of this name.")
        return destination

    def whom(self, transfer: Transfer) -> Destination:
        """Of the validated data."""
        destination: Destination = self.validated_data.get("destination", transfer.destination)
        return destination

    def plan(self, transfer: Transfer) -> Plan:
        """How it is asked, of the validated data. Raises ValidationError for what cannot be done there."""
        destination, verify = self.whom(transfer), self.validated_data.get("verify", "")
        if not verify and destination == transfer.destination:
            verify = asked_again(transfer.verify)
        wish = Wish(
            destination, verify=verify, asks_commitment=self.validated_data["commitment"] or None, is_inquiry=True
        )
        try:
            return plan_of(wish)
        except NotFeasible as error:
            field = {"asks_commitment": "commitment"}.get(error.field, error.field)
            raise serializers.ValidationError({field: [str(error)]}) from error


class TransferViews(ApiViewSet):
    """Transfers."""

    problems = {
        "receipt": (HTTPStatus.CONFLICT,),
        "cancel": (HTTPStatus.CONFLICT,),
        "retry": (HTTPStatus.CONFLICT,),
        "send_new": (HTTPStatus.CONFLICT,),
        "verify": (HTTPStatus.CONFLICT,),
        "rollback": (HTTPStatus.CONFLICT,),
        "rollback_preview": (HTTPStatus.CONFLICT,),
    }
    queryset = Transfer.objects.select_related("destination", "source", "audit", "batch")
    filterset_class = TransferFilters

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        shown: dict[str, type[BaseSerializer[Any]]] = {"list": TransferDocument, "events": EventDocument}
        return shown.get(self.action, WholeTransferDocument)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return super().filter_queryset(queryset) if self.action == "list" else queryset

    @extend_schema(summary="List the transfers", responses=TransferDocument(many=True))
    def list(self, _request: Request) -> Response:
        """The rows are fetched once it is known which: a join in the search would be made for every row there is."""
        keys = self.filter_queryset(Transfer.objects.values("id"))
        page = [row["id"] for row in self.paginate_queryset(keys) or []]
        transfers = self.get_queryset().filter(pk__in=page).order_by("-id")
        return self.get_paginated_response(self.get_serializer(transfers, many=True).data)

    @extend_schema(summary="Show a transfer", responses=WholeTransferDocument)
    def retrieve(self, _request: Request, **_address: Any) -> Response:
        return self._shown(self.get_object())

    @extend_schema(summary="List what happened to a transfer", responses=EventDocument(many=True), filters=False)
    def events(self, _request: Request, **_address: Any) -> Response:
        return self.page_of(self.get_object().events.all())

    @extend_schema(
        summary="The report of a transfer",
        description="The document that `manage.py send --json` prints, with this one transfer: every instance with all "
        "its evidence. It is streamed; of a large study it is large.",
        responses=ReportDocument,
    )
    def report(self, _request: Request, **_address: Any) -> StreamingHttpResponse:
        transfer = self.get_object()
        skipped = transfer.batch.skipped.all() if transfer.batch else []
        parts = (part.encode() for part in report_parts([transfer], skipped))
        return StreamingHttpResponse(parts, content_type="application/json")

    @extend_schema(
        summary="The receipt of a transfer",
        description="What was proved, with all evidence and without anything of the patient, signed. There is one once "
        "the transfer has ended and was judged. It is streamed; of a large study it is large.",
        responses=ReceiptDocument,
    )
    def receipt(self, _request: Request, **_address: Any) -> StreamingHttpResponse:
        receipt = receipt_of(self.get_object())
        return StreamingHttpResponse(parts_of(receipt, Form.JSON), content_type="application/json")

    @extend_schema(
        summary="Cancel a transfer",
        description="Sending stops within seconds; the destination is still asked what arrived, and that is judged.",
        request=None,
        responses=WholeTransferDocument,
    )
    def cancel(self, request: Request, **_address: Any) -> Response:
        transfer = self.get_object()
        services.cancel(transfer, by=user_of(request).get_username())
        return self._shown(transfer)

    @extend_schema(
        summary="Send again what is not confirmed",
        description="What is refuted or unproven, and nothing else.",
        request=None,
        responses=WholeTransferDocument,
    )
    def retry(self, _request: Request, **_address: Any) -> Response:
        transfer = self.get_object()
        services.retry(transfer)
        return self._shown(transfer)

    @extend_schema(
        summary="Send what came to its source since",
        description="Submits the study once more, as the source holds it now: what the destination has already is not "
        "sent again. There is something to send where `source_grown_by` is more than 0.",
        request=None,
        responses={202: WholeBatchDocument},
        parameters=[location_of(202)],
    )
    def send_new(self, request: Request, **_address: Any) -> Response:
        batch = submissions.send_what_is_new(self.get_object(), by=user_of(request))
        document = WholeBatchDocument(batch, context=self.get_serializer_context()).data
        return Response(document, HTTPStatus.ACCEPTED, headers={"Location": document["url"]})

    @extend_schema(
        summary="Ask the destination again, or another one",
        description="Nothing is sent; what it holds now is judged over all the evidence, and earlier judgements stay. "
        "Another destination is asked in a transfer of its own, which is made (201).",
        request=VerifyRequest,
        responses={200: WholeTransferDocument, 201: WholeTransferDocument},
        parameters=[location_of(201)],
    )
    def verify(self, request: Request, **_address: Any) -> Response:
        asked = VerifyRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        transfer = self.get_object()
        destination, plan, by = asked.whom(transfer), asked.plan(transfer), user_of(request).get_username()
        if destination == transfer.destination:
            services.reverify(transfer, plan.verify, asks_commitment=plan.asks_commitment, by=by)
            return self._shown(transfer)
        inquiry = services.inquire_elsewhere(
            transfer, destination, verify=plan.verify, asks_commitment=plan.asks_commitment, by=by
        )
        document = self.get_serializer(inquiry).data
        return Response(document, HTTPStatus.CREATED, headers={"Location": document["url"]})

    @extend_schema(
        summary="What would be removed again",
        description="How much `POST` would remove, if it is still there; or, with 409, why nothing can be.",
        responses=TakenBackDocument,
    )
    def rollback_preview(self, _request: Request, **_address: Any) -> Response:
        return Response(services.preview_roll_back(self.get_object())._asdict())

    @extend_schema(
        summary="Remove from the destination again what a transfer brought there",
        description="Exactly the instances that it began to send and that were not there before, and nothing else; "
        "then the destination is asked whether they are gone.",
        request=None,
        responses=WholeTransferDocument,
    )
    def rollback(self, request: Request, **_address: Any) -> Response:
        transfer = self.get_object()
        services.roll_back(transfer, by=user_of(request).get_username())
        return self._shown(transfer)

    @extend_schema(
        summary="Say that an alarm was seen",
        description="That a study which had been committed lacks instances (`missing_since`). Its verdict stays.",
        request=None,
        responses=WholeTransferDocument,
    )
    def alarm_seen(self, request: Request, **_address: Any) -> Response:
        transfer = self.get_object()
        services.note_alarm_seen(transfer, by=user_of(request).get_username())
        return self._shown(transfer)

    def _shown(self, transfer: Transfer) -> Response:
        return Response(self.get_serializer(transfer).data)
