"""What the views of the API share."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import User
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from transfers.api.filters import FilterBackend
from transfers.api.paging import NewestFirst


class Guarded(APIView):
    """Whoever may not come in is throttled too."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        try:
            super().initial(request, *args, **kwargs)
        except (AuthenticationFailed, NotAuthenticated):
            self.check_throttles(request)
            raise


class ApiViewSet(Guarded, GenericViewSet[Any]):
    """A noun of the API."""

    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    filter_backends = (FilterBackend,)
    pagination_class = NewestFirst

    def page_of(self, queryset: Any) -> Response:
        """One page of the filtered list, as `serializer_class` shows it."""
        page = self.paginate_queryset(self.filter_queryset(queryset))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class NothingHere(Guarded):
    """Any other address."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise NotFound("There is nothing at this address. All addresses of the API end in a slash.")


def user_of(request: Request) -> User:
    """Who asks; every view asks for a login."""
    return cast(User, request.user)
