"""The form of a destination: its password is taken, and never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError

from transfers.models import Destination
from transfers.passwords import encrypt_password

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Destination]
else:  # generic for the type checker only
    _ModelForm = forms.ModelForm

PASSWORD_CHARACTERS_MAXIMUM = 1_024


class DestinationForm(_ModelForm):
    """Everything that can be set. The password is stored encrypted; left empty, the one that is stored stays."""

    new_password = forms.CharField(
        label="Password",
        required=False,
        strip=False,
        max_length=PASSWORD_CHARACTERS_MAXIMUM,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Stored encrypted, and never shown again. Empty: the one that is stored stays.",
    )
    removes_password = forms.BooleanField(
        label="Remove the password that is stored", required=False, help_text="Requests then carry none."
    )

    class Meta:
        model = Destination
        exclude: ClassVar = ["password_encrypted"]

    def clean_ask_at(self) -> Any:
        sides = self.cleaned_data["ask_at"]
        if any(side.pk == self.instance.pk for side in sides):
            raise ValidationError("It is asked at itself already: choose other entries for the same archive.")
        return sides

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        self._take_password(said)
        return said

    def _take_password(self, said: dict[str, Any]) -> None:
        """What the model then judges together with all the rest."""
        before = Destination.objects.filter(pk=self.instance.pk).first() or Destination()
        stored = before.password_encrypted
        password = said.get("new_password") or ""
        if password and said.get("removes_password"):
            self.add_error("removes_password", "Give a new password, or have it removed, one of the two.")
        elif password:
            self._store(encrypt_password(password), "The password was set.")
        elif stored and said.get("removes_password"):
            self._store("", "The password was removed.")
        elif stored and _place(before.url) != _place(str(said.get("url") or "")):
            self.add_error("new_password", "The URL leads elsewhere now: give the password that belongs there.")
        else:
            self.instance.password_encrypted = stored

    def _store(self, encrypted: str, reason: str) -> None:
        self.instance.password_encrypted = encrypted
        setattr(self.instance, "_change_reason", reason)  # noqa: B010  for the row of its history


def _place(url: str) -> tuple[str, str]:
    """Whoever may change a URL, but does not know the password, must not be able to have it sent to them."""
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()
