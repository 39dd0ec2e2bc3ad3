"""What the admin site shows and never changes: evidence proves only while nobody can touch it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Model]
    _TabularInline = admin.TabularInline[Model, Model]
else:  # generic for the type checker only
    _ModelAdmin = admin.ModelAdmin
    _TabularInline = admin.TabularInline


class Untouchable:
    """Nobody may add, change or delete here, whatever permissions they have; with "view" they may look."""

    def has_add_permission(self, _request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, *_: Any) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, *_: Any) -> bool:
        return False


class ReadOnlyAdmin(Untouchable, _ModelAdmin):
    """Tables may be long: nothing is counted that need not be."""

    show_full_result_count = False
    list_per_page = 50


class ReadOnlyInline(Untouchable, _TabularInline):
    extra = 0
    can_delete = False
