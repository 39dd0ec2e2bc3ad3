"""The addresses of the pages."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from transfers.views import account, batches, destinations, methods, receipts, sources, submissions, transfer, transfers

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="transfers")),
    path("account/", account.account, name="account"),
    path("account/tokens/", account.create_token, name="token-create"),
    path("account/tokens/delete/", account.delete_token, name="token-delete"),
    path("destinations/", destinations.destination_list, name="destinations"),
    path("destinations/<uuid:public_id>/check/", destinations.check, name="destination-check"),
    path("methods/", methods.method_list, name="methods"),
    path("sources/", sources.source_list, name="sources"),
    path("sources/<uuid:public_id>/check/", sources.check, name="source-check"),
    path("transfers/", transfers.transfer_list, name="transfers"),
    path("transfers/<uuid:public_id>/", transfer.transfer_page, name="transfer"),
    path("transfers/<uuid:public_id>/part/<slug:name>/", transfer.transfer_fragment, name="transfer-fragment"),
    path("transfers/<uuid:public_id>/cancel/", transfer.cancel, name="transfer-cancel"),
    path("transfers/<uuid:public_id>/retry/", transfer.retry, name="transfer-retry"),
    path("transfers/<uuid:public_id>/verify/", transfer.verify, name="transfer-verify"),
    path("transfers/<uuid:public_id>/ask-to-commit/", transfer.ask_to_commit, name="transfer-ask-to-commit"),
    path("transfers/<uuid:public_id>/roll-back/", transfer.roll_back, name="transfer-roll-back"),
    path("transfers/<uuid:public_id>/send-new/", transfer.send_new, name="transfer-send-new"),
    path("transfers/<uuid:public_id>/alarm-seen/", transfer.alarm_seen, name="transfer-alarm-seen"),
    path("transfers/<uuid:public_id>/receipt/", receipts.receipt_page, name="receipt"),
    path("transfers/<uuid:public_id>/receipt.json", receipts.receipt_file, {"form": "json"}, name="receipt-json"),
    path("transfers/<uuid:public_id>/receipt.csv", receipts.receipt_file, {"form": "csv"}, name="receipt-csv"),
    path("receipts/check/", receipts.check_page, name="receipt-check"),
    path("new/", submissions.new_transfer, name="new-transfer"),
    path("new/uploads/clear/", submissions.clear_uploads, name="uploads-clear"),
    path("batches/<uuid:public_id>/", batches.batch_page, name="batch"),
    path("batches/<uuid:public_id>/start/", batches.start, name="batch-start"),
    path("batches/<uuid:public_id>/discard/", batches.discard, name="batch-discard"),
]
