"""Batches with what was left out of them, to be looked at only."""

from __future__ import annotations

from django.contrib import admin

from audit.read_only import ReadOnlyAdmin, ReadOnlyInline
from transfers.models import Batch, SkippedFile


class SkippedFileInline(ReadOnlyInline):
    model = SkippedFile
    fields = ("kind", "path", "reason")


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "state", "destination", "created_by", "created_at")
    list_filter = ("state", "destination")
    list_select_related = ("destination", "created_by")
    search_fields = ("public_id__exact",)
    search_help_text = "The id of a batch"
    inlines = (SkippedFileInline,)
