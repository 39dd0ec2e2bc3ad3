"""Fields of requests that take what the schema says and nothing like it.

A form has texts only, so there they are read as the framework reads them.
"""

from __future__ import annotations

from typing import Any

from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from transfers.verification import PATTERN, Verification

OPTIONS_SCHEMA = {
    "type": "object",
    "additionalProperties": {"oneOf": [{"type": "integer"}, {"type": "boolean"}, {"type": "string"}]},
}
"""Of a method's options: each takes one of the three, as `methods/` says."""


def _is_form(field: serializers.Field[Any, Any, Any, Any]) -> bool:
    return isinstance(getattr(field.root, "initial_data", None), QueryDict)


class Text(serializers.CharField):
    """A number is no text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class WholeNumber(serializers.IntegerField):
    """Neither a text nor a fraction."""

    def to_internal_value(self, data: Any) -> int:
        if not _is_form(self) and (isinstance(data, bool) or not isinstance(data, int)):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "pattern": PATTERN, "example": "content:15%"})
class WayToVerify(Text):
    """How a destination is asked: none, presence, content, or content:15% for a sample."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            return str(Verification.parse(text))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class YesOrNo(serializers.BooleanField):
    """True or false; of JSON neither "yes" nor 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not _is_form(self) and not isinstance(data, bool):
            self.fail("invalid", input=data)
        return super().to_internal_value(data)  # or None, where that is allowed


@extend_schema_field(OPTIONS_SCHEMA)
class OptionValues(serializers.DictField):
    """Options of a method as they were asked for."""
