"""The schema of the API, and the page on which it can be read and tried; both without anything from elsewhere."""

from __future__ import annotations

from typing import Any

from csp.decorators import csp_update
from django.utils.decorators import method_decorator
from django.views.generic import TemplateView
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from transfers.api.views import Guarded

PICTURES_WITHIN = {"img-src": ["data:"]}
"""Swagger UI's style sheet carries its icons within itself."""


class Schema(Guarded, SpectacularAPIView):
    """The OpenAPI document."""

    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer, OpenApiYamlRenderer2]

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        return answer


@method_decorator(csp_update(PICTURES_WITHIN), name="dispatch")
class Documentation(TemplateView):
    """The schema in Swagger UI; what is tried there is done."""

    template_name = "api/docs.html"
