"""Pages by key: a list of any length costs what the page costs, and nothing is counted."""

from __future__ import annotations

import re
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

PAGE_SIZE = 50
PAGE_SIZE_MAXIMUM = 500
_CURSOR = re.compile("(?P<side>after|before)-(?P<key>[0-9]{1,18})")
CURSOR_PATTERN = "^(after|before)-[0-9]{1,18}$"
"""The same, as the schema says it. A key is a 64-bit number."""


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

    def decode_cursor(self, request: Request) -> Cursor | None:
        text = request.query_params.get("cursor")
        if text is None:
            return None
        found = _CURSOR.fullmatch(text)
        if not found:
            message = "This is no cursor: follow the `next` and `previous` of a page."
            raise ValidationError({"cursor": [message]})
        return Cursor(offset=0, reverse=found["side"] == "before", position=int(found["key"]))

    def encode_cursor(self, cursor: Cursor) -> str:
        """The keys are unique, so a cursor is a key, and on which side of it the page is."""
        text = f"{'before' if cursor.reverse else 'after'}-{cursor.position}"
        return replace_query_param(str(self.base_url), "cursor", text)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        cursor, page_size = super().get_schema_operation_parameters(view)
        cursor["schema"] = {"type": "string", "pattern": CURSOR_PATTERN}
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
