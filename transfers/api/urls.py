"""The addresses of the API, all under /api/."""

from __future__ import annotations

from django.urls import include, path, re_path, register_converter
from django.urls.converters import StringConverter

from transfers.api.batches import BatchViews
from transfers.api.destinations import DestinationViews
from transfers.api.documentation import Documentation, Schema
from transfers.api.instances import InstanceViews
from transfers.api.methods import MethodViews
from transfers.api.paging import InOrder
from transfers.api.sources import SourceViews
from transfers.api.transfers import TransferViews
from transfers.api.uploads import UploadViews
from transfers.api.views import NothingHere


class PeerName(StringConverter):
    """As `transfers.peer.validate_name` has it: nothing else reaches the database."""

    regex = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


register_converter(PeerName, "peer_name")

version_1 = [
    path("methods/", MethodViews.as_view(), name="api-methods"),
    path("destinations/", DestinationViews.as_view({"get": "list"}), name="api-destinations"),
    path("destinations/<peer_name:name>/", DestinationViews.as_view({"get": "retrieve"}), name="api-destination"),
    path(
        "destinations/<peer_name:name>/check/",
        DestinationViews.as_view({"post": "check"}),
        name="api-destination-check",
    ),
    path("sources/", SourceViews.as_view({"get": "list"}), name="api-sources"),
    path("sources/<peer_name:name>/", SourceViews.as_view({"get": "retrieve"}), name="api-source"),
    path("sources/<peer_name:name>/check/", SourceViews.as_view({"post": "check"}), name="api-source-check"),
    path(
        "sources/<peer_name:name>/studies/",
        SourceViews.as_view({"post": "studies"}),
        name="api-source-studies",
    ),
    path("uploads/", UploadViews.as_view({"get": "list", "post": "create"}), name="api-uploads"),
    path(
        "uploads/<uuid:id>/",
        UploadViews.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="api-upload",
    ),
    path("batches/", BatchViews.as_view({"get": "list", "post": "create"}), name="api-batches"),
    path("batches/<uuid:id>/", BatchViews.as_view({"get": "retrieve"}), name="api-batch"),
    path("batches/<uuid:id>/start/", BatchViews.as_view({"post": "start"}), name="api-batch-start"),
    path("batches/<uuid:id>/discard/", BatchViews.as_view({"post": "discard"}), name="api-batch-discard"),
    path(
        "batches/<uuid:id>/skipped/",
        BatchViews.as_view({"get": "skipped"}, pagination_class=InOrder),
        name="api-batch-skipped",
    ),
    path("transfers/", TransferViews.as_view({"get": "list"}), name="api-transfers"),
    path("transfers/<uuid:id>/", TransferViews.as_view({"get": "retrieve"}), name="api-transfer"),
    path("transfers/<uuid:id>/instances/", InstanceViews.as_view({"get": "list"}), name="api-transfer-instances"),
    path(
        "transfers/<uuid:id>/events/",
        TransferViews.as_view({"get": "events"}, pagination_class=InOrder),
        name="api-transfer-events",
    ),
    path("transfers/<uuid:id>/report/", TransferViews.as_view({"get": "report"}), name="api-transfer-report"),
    path("transfers/<uuid:id>/receipt/", TransferViews.as_view({"get": "receipt"}), name="api-transfer-receipt"),
    path("transfers/<uuid:id>/cancel/", TransferViews.as_view({"post": "cancel"}), name="api-transfer-cancel"),
    path("transfers/<uuid:id>/retry/", TransferViews.as_view({"post": "retry"}), name="api-transfer-retry"),
    path("transfers/<uuid:id>/send-new/", TransferViews.as_view({"post": "send_new"}), name="api-transfer-send-new"),
    path("transfers/<uuid:id>/verify/", TransferViews.as_view({"post": "verify"}), name="api-transfer-verify"),
    path(
        "transfers/<uuid:id>/rollback/",
        TransferViews.as_view({"get": "rollback_preview", "post": "rollback"}),
        name="api-transfer-rollback",
    ),
    path(
        "transfers/<uuid:id>/alarm-seen/",
        TransferViews.as_view({"post": "alarm_seen"}),
        name="api-transfer-alarm-seen",
    ),
    path("schema/", Schema.as_view(), name="api-schema"),
    path("docs/", Documentation.as_view(), name="api-docs"),
]

urlpatterns = [
    path("v1/", include(version_1)),
    re_path(r"", NothingHere.as_view()),
]
