"""What a page lets people say about what to send, where to, and how."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from transfers.feasibility import NotFeasible, Plan, plan_of
from transfers.import_roots import PathNotAllowed, confined
from transfers.methods import METHODS
from transfers.methods.options import WrongOption, check_options
from transfers.models import Destination, Source, Upload
from transfers.option_fields import option_field
from transfers.submissions import Submission
from transfers.submitted_files import File
from transfers.verification import ALL, Level, Verification

UPLOADS_MAXIMUM = 2_000
PATH_CHARACTERS_MAXIMUM = 4_096
"""PATH_MAX of Linux."""
STUDIES_MAXIMUM = 500
"""In one batch."""
_STUDY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}|[0-9.]{1,64}")
"""An Orthanc ID, or a UID."""


class _FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class _FilesField(forms.FileField):
    """Any number of files, empty ones too: what they are worth shows when they are read."""

    widget = _FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        field = forms.FileField(required=False, allow_empty_file=True)
        return [field.clean(file, initial) for file in data or []]


class _UploadsField(forms.Field):
    """Ids of uploads."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[UUID]:
        try:
            return [UUID(each) for each in (value or [])[:UPLOADS_MAXIMUM]]
        except ValueError:
            raise ValidationError("What was uploaded is not known here. Upload it again.") from None


class _StudiesField(forms.Field):
    """By what a source knows studies."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[str]:
        studies = list(dict.fromkeys(value or []))
        if len(studies) > STUDIES_MAXIMUM:
            raise ValidationError(f"Choose up to {STUDIES_MAXIMUM} studies at once.")
        if not all(_STUDY.fullmatch(each) for each in studies):
            raise ValidationError("A study that was chosen is not known here. Search again.")
        return studies


class SubmissionForm(forms.Form):
    """What to send in one go; it waits as a draft until somebody starts it. Where nothing is sent it asks at once."""

    uploads = _UploadsField(required=False)
    source = forms.ModelChoiceField(
        Source.objects.all(),
        to_field_name="name",
        required=False,
        error_messages={"invalid_choice": "This source is not there any more."},
    )
    studies = _StudiesField(required=False)
    searched_at = forms.CharField(required=False, max_length=64)
    """The source that was searched for those studies."""
    waits_until_stable = forms.BooleanField(
        required=False,
        label="Wait until the source calls them stable",
        help_text="The manifest is taken once nothing has come for a study for the StableAge of the source (IsStable).",
    )
    path = forms.CharField(required=False, max_length=PATH_CHARACTERS_MAXIMUM, strip=False)
    destination = forms.ModelChoiceField(
        Destination.objects.all(),
        to_field_name="name",
        error_messages={
            "required": "Choose where to send it.",
            "invalid_choice": "This destination is not there any more.",
        },
    )
    method = forms.ChoiceField(required=False)
    verify = forms.ChoiceField(required=False, choices=[("", ""), *((level.value, level.value) for level in Level)])
    sample_percent = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=ALL,
        label="Of how many instances the content is compared",
        help_text="In percent; empty: of all. Of the others only presence is asked.",
    )
    asks_commitment = forms.BooleanField(
        required=False,
        label="Ask it to commit",
        help_text="Storage Commitment: its report says of each instance whether it commits to it, and may take hours.",
    )
    rolls_back = forms.BooleanField(
        required=False,
        label="All or nothing",
        help_text="Where the study cannot be completed, exactly what was added to it is removed again.",
    )
    is_inquiry = forms.BooleanField(
        required=False,
        label="Send nothing, only ask",
        help_text="The destination is asked whether it holds what is chosen here.",
    )
    send_what_can = forms.BooleanField(
        required=False,
        label="Send what can be sent",
        help_text="Else the whole study is held back. You can decide it later, too, once it is known.",
    )

    def __init__(self, data: Any = None, *, files: Any = None, user: User, initial: Any = None) -> None:
        super().__init__(data, files, initial=initial)
        self._user = user
        self.fields["files"] = _FilesField(required=False)
        self.fields["method"].choices = [("", ""), *((key, method.label) for key, method in METHODS.items())]  # type: ignore[attr-defined]
        for key, method in METHODS.items():
            for option in fields(method.Options):
                self.fields[option_name(key, option.name)] = option_field(option, method.label)

    def option_fields(self) -> list[forms.BoundField]:
        """Of all methods."""
        return [self[name] for name in self.fields if "." in name]

    def uploaded(self) -> list[Upload]:
        """What was uploaded for it already."""
        ids = self["uploads"].value() or []
        try:
            return _uploads_of(self._user, [UUID(str(each)) for each in ids[:UPLOADS_MAXIMUM]])
        except ValueError:
            return []

    def clean_path(self) -> str:
        path = str(self.cleaned_data["path"])
        if not path.strip():
            return ""
        for said in (path, path.strip()):  # names may begin and end with spaces; what is pasted may, too
            with suppress(PathNotAllowed):
                return str(confined(said))
        raise ValidationError(str(PathNotAllowed()))

    def clean_uploads(self) -> list[Upload]:
        ids = self.cleaned_data["uploads"]
        found = _uploads_of(self._user, ids)
        if len(found) != len(set(ids)):
            raise ValidationError("Something of what was uploaded is not kept any more. Upload it again.")
        return found

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        self._check_what(found)
        if found.get("destination") and not {"verify", "sample_percent", "method"} & set(self.errors):
            found["options"] = self._options()
        return found

    def _check_what(self, found: dict[str, Any]) -> None:
        """One thing of the three: files, a folder, studies of a source."""
        has_files = bool(found.get("files") or found.get("uploads"))
        if found.get("source"):
            self._check_studies(found, has_files=has_files)
        elif has_files and found.get("path"):
            self.add_error("path", "Give files or a folder on the server, one of the two.")
        elif not has_files and not found.get("path") and not self.errors:
            self.add_error("files", "Choose what to send: files, or a folder on the server.")

    def _check_studies(self, found: dict[str, Any], *, has_files: bool) -> None:
        if has_files or found.get("path"):
            self.add_error("source", "Give studies of a source or files, one of the two.")
        elif not found.get("studies") and "studies" not in self.errors:
            self.add_error("studies", "Search the source, and choose studies.")
        elif found.get("searched_at") != found["source"].name:
            self.add_error("studies", "These are studies of another source: search this one.")

    def submission(self) -> Submission:
        """Of what was said and found right, but for the files that came with it."""
        asked = self.cleaned_data
        wanted = self._wanted()._replace(options=asked["options"], path=asked["path"], uploads=asked["uploads"])
        if wanted.source is None:
            return wanted
        return wanted._replace(studies=asked["studies"], waits_until_stable=bool(asked["waits_until_stable"]))

    @property
    def received(self) -> Sequence[File]:
        """The files that came with it."""
        return list(self.cleaned_data["files"])

    def _wanted(self) -> Submission:
        """A box that is not ticked leaves it to the method whether the destination is asked to commit."""
        asked = self.cleaned_data
        return Submission(
            destination=asked["destination"],
            source=asked.get("source"),
            method=asked.get("method", ""),
            verify=self._verify(),
            asks_commitment=asked.get("asks_commitment") or None,
            rolls_back=bool(asked.get("rolls_back")),
            is_inquiry=bool(asked.get("is_inquiry")),
            send_what_can=bool(asked.get("send_what_can")),
            starts=bool(asked.get("is_inquiry")),
        )

    def _verify(self) -> str:
        """As `transfers.verification` spells it; a sample is one of the content."""
        level, percent = self.cleaned_data.get("verify", ""), self.cleaned_data.get("sample_percent")
        if percent is None:
            return str(level)
        return str(Verification(Level(level), percent)) if level == Level.CONTENT else str(level)

    def _options(self) -> dict[str, Any]:
        if self.cleaned_data.get("sample_percent") is not None and self.cleaned_data.get("verify") != Level.CONTENT:
            self.add_error(
                "sample_percent", "A sample is one of the content: choose to compare it, or leave this empty."
            )
            return {}
        try:
            plan = plan_of(self._wanted().wish)
        except NotFeasible as error:
            self.add_error(error.field if error.field in self.fields else None, str(error))
            return {}
        return self._options_of(plan) if plan.method else {}

    def _options_of(self, plan: Plan) -> dict[str, Any]:
        key, method = plan.method, METHODS[plan.method]
        names = {option.name: self.cleaned_data.get(option_name(key, option.name)) for option in fields(method.Options)}
        try:
            return check_options(method.Options, {name: value for name, value in names.items() if value is not None})
        except WrongOption as error:
            self.add_error("method", str(error))
            return {}


def option_name(method: str, option: str) -> str:
    """Of the field."""
    return f"{method}.{option}"


def _uploads_of(user: User, ids: Sequence[UUID]) -> list[Upload]:
    """In the order that they were named; only what nothing was made of yet."""
    free = Upload.objects.filter(created_by=user, batch__isnull=True, removed_at__isnull=True, public_id__in=ids)
    found = {upload.public_id: upload for upload in free}
    return [found[each] for each in dict.fromkeys(ids) if each in found]
