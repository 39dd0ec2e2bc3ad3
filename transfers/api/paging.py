"""Pages by key: a list of any length costs what the page costs, and nothing is counted."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

PAGE_SIZE = 50
PAGE_SIZE_MAXIMUM = 500
_KEY_DIGITS_MAXIMUM = 18
"""A key is a 64-bit number."""


class NewestFirst(CursorPagination):
    """`{"next", "previous", "results"}`, ordered by a unique number."""

    ordering = "-id"
    page_size = PAGE_SIZE
    max_page_size = PAGE_SIZE_MAXIMUM
    page_size_query_param = "page_size"
    page_size_query_description = f"How many results a page has, from 1 to {PAGE_SIZE_MAXIMUM}."
    cursor_query_description = "Where the page begins: part of the `next` and `previous` of another page."
    template = None

    def get_page_size(self, request: Request) -> int:
        """Refuses what is no number of results, so that nobody takes a page of another size for the one asked for."""
        text = request.query_params.get("page_size")
        if text is None:
            return PAGE_SIZE
        if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= PAGE_SIZE_MAXIMUM:
            raise ValidationError({"page_size": [f"Give a whole number from 1 to {PAGE_SIZE_MAXIMUM}."]})
        return int(text)

    def decode_cursor(self, request: Request) -> Any:
        if "cursor" not in request.query_params:
            return None
        try:
            cursor = super().decode_cursor(request)
        except (NotFound, ValueError) as error:
            raise _not_a_cursor() from error
        key = str(cursor.position if cursor else "")
        if not key.isascii() or not key.isdigit() or len(key) > _KEY_DIGITS_MAXIMUM:
            raise _not_a_cursor()
        return cursor

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        cursor, page_size = super().get_schema_operation_parameters(view)
        page_size["schema"] = {
            "type": "integer",
            "minimum": 1,
            "maximum": PAGE_SIZE_MAXIMUM,
            "default": PAGE_SIZE,
        }
        return [cursor, page_size]


class InOrder(NewestFirst):
    """The oldest first: events, and what was skipped."""

    ordering = "id"


class ByPosition(NewestFirst):
    """Instances, in the order of the manifest."""

    ordering = "position"


def _not_a_cursor() -> ValidationError:
    return ValidationError({"cursor": ["This is no cursor: follow the `next` and `previous` of a page."]})
