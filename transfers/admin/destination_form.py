"""The form of a destination."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ValidationError

from transfers.admin.peer_form import PeerForm
from transfers.models import Destination
from transfers.peer import SECRETS


class DestinationForm(PeerForm):
    """Everything that can be set."""

    class Meta:
        model = Destination
        exclude: ClassVar = list(SECRETS)

    def clean_ask_at(self) -> Any:
        sides = self.cleaned_data["ask_at"]
        if any(side.pk == self.instance.pk for side in sides):
            raise ValidationError("It is asked at itself already: choose other entries for the same archive.")
        return sides
