"""What the page of a new transfer shows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import QueryDict

from transfers import uploads
from transfers.destination_cards import ceiling_at
from transfers.import_folders import Folder, look_into, top
from transfers.import_roots import PathNotAllowed, import_roots
from transfers.models import Destination, Source, Upload
from transfers.study_search_form import StudySearchForm
from transfers.submission_form import SubmissionForm
from transfers.views.method_context import methods_context
from transfers.views.source_context import studies_context
from transfers.wording import count_text, size_text


def page_context(form: SubmissionForm, user: User, said: QueryDict | None) -> dict[str, Any]:
    """For `submissions/new.html`. `said`: what was posted, if anything was."""
    source = source_of(form)
    return {
        "form": form,
        "destinations": [_choice(destination, form) for destination in Destination.objects.all()],
        "sources": [_source(each, form) for each in Source.objects.all()],
        "no_source": source is None,
        "verifications": _verify_choices(form),
        "how_is_open": _how_is_open(form),
        "uploaded": [
            {"public_id": str(upload.public_id), "name": upload.name, "size": size_text(upload.size_bytes)}
            for upload in form.uploaded()
        ],
        "quota": _quota(user, form),
        **folder_context(str(form["path"].value() or ""), form),
        **studies_context(source, said, searches=_searches(source, said)),
        **methods_context(form, destination_of(form), source),
    }


def _searches(source: Source | None, said: QueryDict | None) -> bool:
    """Whether its studies are to be seen: they are searched for, or were before."""
    if source is None or said is None:
        return False
    return "search" in said or said.get("searched_at") == source.name or not StudySearchForm(said).is_empty


def source_of(form: SubmissionForm) -> Source | None:
    """That was chosen by now."""
    return Source.objects.filter(name=str(form["source"].value() or "")).first()


def destination_of(form: SubmissionForm) -> Destination | None:
    """That was chosen by now."""
    return Destination.objects.filter(name=str(form["destination"].value() or "")).first()


def _source(source: Source, form: SubmissionForm) -> dict[str, Any]:
    return {
        "name": source.name,
        "kind": source.get_kind_display(),
        "address": source.url,
        "is_chosen": form["source"].value() == source.name,
    }


def _choice(destination: Destination, form: SubmissionForm) -> dict[str, Any]:
    best = ceiling_at(destination)
    return {
        "name": destination.name,
        "address": destination.address,
        "is_chosen": form["destination"].value() == destination.name,
        "best": best,
    }


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


_HOW = ("verify", "sample_percent", "asks_commitment", "rolls_back", "send_what_can")


def _how_is_open(form: SubmissionForm) -> bool:
    """Whether something in there was changed, or is wrong."""
    return any(form[name].value() or (form.is_bound and form[name].errors) for name in _HOW)


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
