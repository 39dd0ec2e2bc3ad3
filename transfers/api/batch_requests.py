"""What may be asked for in a batch, as JSON or as a form with files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from transfers.api import words
from transfers.api.fields import OPTIONS_SCHEMA, Text, WayToVerify, YesOrNo
from transfers.api.requests import StrictRequest
from transfers.feasibility import NotFeasible, Plan, plan_of
from transfers.methods import METHODS
from transfers.methods.options import WrongOption, check_options
from transfers.models import Destination, Source, Upload
from transfers.receiving import ReceivedFile
from transfers.submissions import Submission

UPLOADS_MAXIMUM = 2_000
"""In one batch; more files come in a ZIP file."""
STUDIES_MAXIMUM = 200
PATH_CHARACTERS_MAXIMUM = 4_096
"""PATH_MAX of Linux."""
IDEMPOTENCY_KEY_CHARACTERS_MAXIMUM = 255
FIELD_OF_WISH: Mapping[str, str] = {
    "asks_commitment": "commitment",
    "rolls_back": "rollback",
    "is_inquiry": "send",
    "starts": "start",
}
"""How the request calls what `transfers.feasibility` judges, where it has other words for it."""


@extend_schema_field(OPTIONS_SCHEMA)
class Options(serializers.JSONField):
    """Of a method; a form gives them as JSON."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, str):
            try:
                data = json.loads(data)
            except ValueError as error:
                raise serializers.ValidationError("The options are no JSON.") from error
        if not isinstance(data, dict):
            raise serializers.ValidationError("The options are an object: {NAME: VALUE}.")
        return data


class BatchRequest(StrictRequest):
    """What to send in one go, or to ask about."""

    destination = Text(max_length=64, help_text="The name of a destination.")
    method = serializers.ChoiceField(
        words.METHOD_KEYS, required=False, help_text="How to send; by default what fits the kind of destination."
    )
    options = Options(required=False, help_text="Of the method, for this batch.")
    verify = WayToVerify(
        required=False,
        help_text="How to ask afterwards; by default as the destination's policy says, and by presence where nothing "
        "is sent and that asks nothing.",
    )
    commitment = YesOrNo(
        default=None,
        allow_null=True,
        help_text="Whether a DICOM destination is asked to commit to what it holds; by default where it offers that.",
    )
    rollback = YesOrNo(
        default=False,
        help_text="All or nothing: where a study cannot be completed, exactly what was added to it is removed again.",
    )
    send = YesOrNo(default=True, help_text="False: nothing is sent, the destination is only asked about it.")
    start = YesOrNo(default=True, help_text="False: stop as a draft once the destination was asked; `start/` sends it.")
    send_what_can = YesOrNo(
        default=False, help_text="Go on without instances that cannot be sent, or that conflict within the input."
    )

    source = Text(  # type: ignore[assignment]  # the metaclass takes fields out of the class
        required=False, max_length=64, help_text="The name of a source, in place of a path or files."
    )
    studies = serializers.ListField(
        child=Text(max_length=64),
        required=False,
        max_length=STUDIES_MAXIMUM,
        help_text="Of the source: Study Instance UIDs, or Orthanc IDs where a UID is there more than once.",
    )
    wait_until_stable = YesOrNo(
        default=False, help_text="Whether the source is first given up to an hour to call these studies stable."
    )

    def validate_destination(self, name: str) -> Destination:
        destination = Destination.objects.filter(name=name).first()
        if destination is None:
            raise serializers.ValidationError("There is no destination of this name.")
        return destination

    def validate_source(self, name: str) -> Source:
        source = Source.objects.filter(name=name).first()
        if source is None:
            raise serializers.ValidationError("There is no source of this name.")
        return source

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        _check_source(attrs)
        try:
            plan = plan_of(_submission(attrs).wish)
        except NotFeasible as error:
            raise serializers.ValidationError({FIELD_OF_WISH.get(error.field, error.field): [str(error)]}) from error
        attrs["options"] = _checked(attrs.get("options", {}), plan)
        return attrs

    def submission(self) -> Submission:
        """Of the validated data, but for what is to be sent."""
        return _submission(self.validated_data)


class JsonBatchRequest(BatchRequest):
    """What to send in one go: a path, uploads that are complete, or studies of a source."""

    path = Text(
        required=False,
        max_length=PATH_CHARACTERS_MAXIMUM,
        trim_whitespace=False,
        help_text="Absolute, of a folder or file under an import root, on the server.",
    )
    files = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=UPLOADS_MAXIMUM,
        help_text="Ids of uploads, in place of a path.",
    )
    uploads = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=UPLOADS_MAXIMUM, help_text="The same as `files`."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in ("path", "files", "uploads", "source") if attrs.get(name)]
        if len(given) > 1:
            raise serializers.ValidationError({given[1]: ["Give a path, uploads or a source: one of the three."]})
        return super().validate(attrs)

    def submission(self) -> Submission:
        asked = self.validated_data
        name = "files" if asked.get("files") else "uploads"
        uploads = _uploads_of(self.context["request"].user, asked.get(name) or [], name)
        return super().submission()._replace(path=asked.get("path", ""), uploads=uploads)


class FormBatchRequest(BatchRequest):
    """What to send in one go: files that come with the request, a path, or studies of a source."""

    path = Text(required=False, max_length=PATH_CHARACTERS_MAXIMUM, trim_whitespace=False)
    files = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True, max_length=None),
        required=False,
        max_length=UPLOADS_MAXIMUM,
        help_text="DICOM files, or ZIP files of them. Large input comes by resumable uploads instead.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in ("path", "files", "source") if attrs.get(name)]
        if len(given) > 1:
            raise serializers.ValidationError({given[1]: ["Give a path, files or a source: one of the three."]})
        return super().validate(attrs)

    def submission(self) -> Submission:
        path = self.validated_data.get("path", "")
        return super().submission()._replace(path=path)

    @property
    def received(self) -> list[ReceivedFile]:
        """That came with the request."""
        return list(self.validated_data.get("files", []))


def _check_source(asked: Mapping[str, Any]) -> None:
    """Raises ValidationError for a source without studies, and what belongs to a source without one."""
    if asked.get("source") and not asked.get("studies"):
        raise serializers.ValidationError({"studies": ["Name the studies of the source that are to be sent."]})
    for name in ("studies", "wait_until_stable"):
        if asked.get(name) and not asked.get("source"):
            raise serializers.ValidationError({name: ["This belongs to a source: name it, too."]})


def _submission(asked: Mapping[str, Any]) -> Submission:
    return Submission(
        destination=asked["destination"],
        method=asked.get("method", ""),
        options=asked.get("options", {}),
        verify=asked.get("verify", ""),
        asks_commitment=asked["commitment"],
        rolls_back=asked["rollback"],
        is_inquiry=not asked["send"],
        send_what_can=asked["send_what_can"],
        starts=asked["start"],
        source=asked.get("source"),
        studies=asked.get("studies", ()),
        waits_until_stable=asked["wait_until_stable"],
    )


def _checked(options: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    if not plan.method and options:
        raise serializers.ValidationError({"options": ["Nothing is sent, so there is no method that has options."]})
    try:
        return check_options(METHODS[plan.method].Options, options) if plan.method else {}
    except WrongOption as error:
        raise serializers.ValidationError({"options": [str(error)]}) from error


def _uploads_of(user: User, ids: Sequence[Any], name: str) -> list[Upload]:
    if len(set(ids)) != len(ids):
        raise serializers.ValidationError({name: ["An upload is named twice."]})
    found = {upload.public_id: upload for upload in Upload.objects.filter(created_by=user, public_id__in=ids)}
    missing = [str(each) for each in ids if each not in found]
    if missing:
        raise serializers.ValidationError({name: [f"There is no upload {each} of yours." for each in missing]})
    return [found[each] for each in ids]
