"""The receipt of a transfer: as a page to print, as files, and a page that checks one that somebody brings."""

from __future__ import annotations

from http import HTTPStatus
from threading import Lock
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_http_methods

from audit.receipt_check import ReceiptCheck, check_receipt
from audit.receipts import AuditIsOpen
from transfers.models import Transfer
from transfers.receipts import MAXIMUM_BYTES, Form, parts_of, receipt_keys, receipt_of
from transfers.receiving import ReceivedFile
from transfers.views.receipt_context import check_context, keys_context, receipt_context
from transfers.wording import size_text

MEDIA_TYPES = {Form.JSON: "application/json", Form.CSV: "text/csv; charset=utf-8"}


@require_GET
def receipt_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """To be read and printed."""
    transfer = _transfer(public_id)
    try:
        receipt = receipt_of(transfer)
    except AuditIsOpen as error:
        return _not_yet(request, transfer, error)
    try:
        return render(request, "receipts/receipt.html", receipt_context(transfer, receipt))
    finally:
        receipt.close()


@require_GET
def receipt_file(request: HttpRequest, public_id: UUID, form: str) -> HttpResponse | StreamingHttpResponse:
    """To be kept, handed on and checked."""
    transfer = _transfer(public_id)
    try:
        receipt = receipt_of(transfer)
    except AuditIsOpen as error:
        return _not_yet(request, transfer, error)
    response = StreamingHttpResponse(parts_of(receipt, Form(form)), content_type=MEDIA_TYPES[Form(form)])
    response["Content-Disposition"] = f'attachment; filename="receipt-{transfer.public_id}.{form}"'
    return response


class ReceiptForm(forms.Form):
    """A file that may be a receipt."""

    receipt = forms.FileField(
        label="Receipt",
        help_text=f"A JSON or CSV file as Tallyman gave it out, at most {size_text(MAXIMUM_BYTES)}; a larger one is "
        "checked by <code>manage.py verify_receipt</code>.",
        error_messages={"required": "Choose a file.", "empty": "This file is empty."},
    )

    def clean_receipt(self) -> ReceivedFile:
        received: ReceivedFile = self.cleaned_data["receipt"]
        if (received.size or 0) > MAXIMUM_BYTES:
            raise forms.ValidationError(
                f"This file is larger than {size_text(MAXIMUM_BYTES)}: check it with manage.py verify_receipt."
            )
        return received

    def check(self) -> ReceiptCheck:
        """What came of it, once the form is valid."""
        with _one_at_a_time:
            return check_receipt(self.cleaned_data["receipt"].path.read_bytes(), receipt_keys().signer)


_one_at_a_time = Lock()
"""What looks like a receipt may take thirty times its size in memory while it is checked."""


@require_http_methods(["GET", "POST"])
def check_page(request: HttpRequest) -> HttpResponse:
    """Nothing of what is brought is kept."""
    form = ReceiptForm(request.POST, request.FILES) if request.method == "POST" else ReceiptForm()
    context = {"form": form, **keys_context(receipt_keys())}
    if not form.is_bound:
        return render(request, "receipts/check.html", context)
    if not form.is_valid():
        return render(request, "receipts/check.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    found = check_context(form.check(), form.cleaned_data["receipt"].name)
    return render(request, "receipts/check.html", context | found)


def _not_yet(request: HttpRequest, transfer: Transfer, error: AuditIsOpen) -> HttpResponse:
    context = {"public_id": transfer.public_id, "text": str(error)}
    return render(request, "receipts/not_yet.html", context, status=HTTPStatus.CONFLICT)


def _transfer(public_id: UUID) -> Transfer:
    return get_object_or_404(Transfer.objects.select_related("destination", "audit"), public_id=public_id)
