"""What bodies of requests share: a field that would be ignored is refused, since it may have been meant to count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers


class StrictRequest(serializers.Serializer[Any]):
    """Takes the fields that it declares, and no other."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := [name for name in data if name not in self.fields]):
            raise serializers.ValidationError({name: [self.why_not(name)] for name in unknown})
        return super().to_internal_value(data)

    def why_not(self, _name: str) -> str:
        """Why a field is not taken, for people."""
        return "There is no such field."
