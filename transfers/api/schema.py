"""How the API describes itself: every operation with the problems that it may answer."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from transfers.api.problems import MEDIA_TYPE

WHEN = {
    HTTPStatus.BAD_REQUEST: "The request is not valid: `errors` says which fields, and why.",
    HTTPStatus.UNAUTHORIZED: "Nobody is logged in, or the token is not valid.",
    HTTPStatus.FORBIDDEN: "This account may only look, or the CSRF token is missing.",
    HTTPStatus.NOT_FOUND: "There is no such thing.",
    HTTPStatus.NOT_ACCEPTABLE: "The answer cannot be given in any of the media types of `Accept`.",
    HTTPStatus.CONFLICT: "This is not the moment for it; `code` says why.",
    HTTPStatus.GONE: "It was deleted meanwhile.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "More than one request, or one account, may bring.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of another media type.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The same Idempotency-Key came with another request before.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests: wait as many seconds as Retry-After says.",
    HTTPStatus.BAD_GATEWAY: "The source did not answer as it should; `code` says why.",
    HTTPStatus.INSUFFICIENT_STORAGE: "The disk of the server is full.",
}


def location_of(status_code: int) -> OpenApiParameter:
    """The header that says where what was made is."""
    return OpenApiParameter(
        "Location",
        {"type": "string", "format": "uri"},
        OpenApiParameter.HEADER,
        description="The address of what was made.",
        response=[status_code],
    )


class ProblemDocument(serializers.Serializer[Any]):
    """What went wrong (RFC 9457)."""

    type = serializers.CharField(help_text="Always `about:blank`: the code says what it is about.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stable, for programs.")
    detail = serializers.CharField(help_text="For people: what went wrong, and what to do.")
    errors = serializers.DictField(  # type: ignore[assignment]  # the metaclass takes fields out of the class
        child=serializers.ListField(child=serializers.CharField()), required=False, help_text="By field of the request."
    )
    offset = serializers.IntegerField(required=False, help_text="Of an upload: where the next part begins.")


class Schema(AutoSchema):
    """The schema class of the API (REST_FRAMEWORK in the settings)."""

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").partition("/")[0]]

    def get_operation_id(self) -> str:
        name = str(super().get_operation_id())
        return name.removeprefix("api_v1_")

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        problem = self.resolve_serializer(ProblemDocument, "response").ref
        for answer in sorted(set(self._problems())):
            bodies[str(answer.value)] = {
                "content": {MEDIA_TYPE: {"schema": problem}},
                "description": WHEN[answer],
            }
        return bodies

    def _get_request_body(self, direction: Any = "request") -> dict[str, Any] | None:
        """Bytes cannot be left out; of what is JSON, the fields say whether anything may."""
        body: dict[str, Any] | None = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        if body and self.method == "PATCH":
            body["required"] = True
        return body

    def _problems(self) -> Iterator[HTTPStatus]:
        yield from (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_ACCEPTABLE, HTTPStatus.TOO_MANY_REQUESTS)
        if "{" in self.path:
            yield HTTPStatus.NOT_FOUND
        if self.method == "GET":
            if self._is_list_view() or self.path.count("/") > 4:
                yield HTTPStatus.BAD_REQUEST
        else:
            yield HTTPStatus.FORBIDDEN
        if self.method in {"POST", "PATCH"} and self.get_request_serializer() is not None:
            yield HTTPStatus.BAD_REQUEST
            yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        yield from getattr(self.view, "problems", {}).get(getattr(self.view, "action", ""), ())
