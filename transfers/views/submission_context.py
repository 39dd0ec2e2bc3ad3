"""What the page of a new transfer shows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet

from transfers import uploads
from transfers.destination_cards import ceiling_at
from transfers.import_folders import Folder, look_into, top
from transfers.import_roots import PathNotAllowed, import_roots
from transfers.methods import METHODS
from transfers.models import Destination, Upload
from transfers.submission_form import SubmissionForm
from transfers.wording import count_text, size_text


def page_context(form: SubmissionForm, user: User) -> dict[str, Any]:
    """For `submissions/new.html`."""
    return {
        "form": form,
        "destinations": [_choice(destination, form) for destination in Destination.objects.all()],
        "methods": _method_choices(form),
        "verifications": _verify_choices(form),
        "how_is_open": _how_is_open(form),
        "uploaded": [
            {"public_id": str(upload.public_id), "name": upload.name, "size": size_text(upload.size_bytes)}
            for upload in form.uploaded()
        ],
        "quota": _quota(user, form),
        **folder_context(str(form["path"].value() or ""), form),
    }


def _choice(destination: Destination, form: SubmissionForm) -> dict[str, Any]:
    best = ceiling_at(destination)
    return {
        "name": destination.name,
        "address": destination.address,
        "is_chosen": form["destination"].value() == destination.name,
        "best": best,
    }


def _method_choices(form: SubmissionForm) -> list[dict[str, Any]]:
    chosen = form["method"].value() or ""
    fits = {
        "value": "",
        "label": "What fits the destination",
        "help": "C-STORE for DICOM archives, with Storage Commitment where they offer it.",
    }
    every = [
        {"value": key, "label": each.label, "help": f"What its success says: {each.sender_can_trust}"}
        for key, each in METHODS.items()
    ]
    return [choice | {"is_chosen": choice["value"] == chosen} for choice in (fits, *every)]


def _verify_choices(form: SubmissionForm) -> list[dict[str, Any]]:
    chosen = form["verify"].value() or ""
    choices = [
        ("", "As the destination's settings say", "What is named beside each destination above."),
        (
            "content",
            "Read everything back, and compare",
            "Best verdict: committed by “identical”. It takes about as long as sending.",
        ),
        ("presence", "Ask for the list of instances", "Best verdict: committed by “present”."),
        (
            "none",
            "Ask nothing",
            "Best verdict: unverifiable; committed by “acknowledged” where that was declared to be proof.",
        ),
    ]
    return [
        {"value": value, "label": label, "help": text, "is_chosen": value == chosen} for value, label, text in choices
    ]


_HOW = ("method", "verify", "sample_percent", "asks_commitment", "rolls_back", "send_what_can")


def _how_is_open(form: SubmissionForm) -> bool:
    """Whether something in there was changed, or is wrong."""
    names = [*_HOW, *(field.name for field in form.option_fields())]
    return any(form[name].value() or (form.is_bound and form[name].errors) for name in names)


def folder_context(path: str, form: SubmissionForm | None = None) -> dict[str, Any]:
    """What the folder holds; where it cannot be shown, why not."""
    error, folder = "", top()
    if path.strip():
        try:
            folder = look_into(path)
        except PathNotAllowed as why:
            error = str(why)
    errors = list(form["path"].errors) if form is not None and form.is_bound else []
    return {
        "has_import_roots": bool(import_roots()),
        "path": path,
        "folder": folder,
        "above": _above(folder),
        "path_errors": errors or ([error] if error else []),
    }


def _above(folder: Folder) -> dict[str, str] | None:
    """Where one level up leads."""
    if not folder.path:
        return None
    return {"path": folder.parent, "label": folder.parent or "All import folders"}


def unused_uploads(user: User) -> QuerySet[Upload]:
    """What somebody uploaded and did not submit yet."""
    return Upload.objects.filter(created_by=user, batch__isnull=True, removed_at__isnull=True)


def _quota(user: User, form: SubmissionForm) -> dict[str, Any]:
    unused = unused_uploads(user).exclude(public_id__in=[upload.public_id for upload in form.uploaded()])
    sizes = list(unused.values_list("size_bytes", flat=True))
    return {
        "used": size_text(uploads.used_by(user)),
        "quota": size_text(settings.UPLOAD_QUOTA_BYTES),
        "unused": f"{count_text(len(sizes), 'upload')}, {size_text(sum(sizes))}" if sizes else "",
    }
