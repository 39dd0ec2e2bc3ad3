"""Passwords of destinations, encrypted by the installation's SECRET_KEY as they lie in the database."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes

_PURPOSE = b"tallyman destination password"


class PasswordUnreadable(Exception):
    """The password was stored under another SECRET_KEY. Set the password of this destination again."""


def encrypt_password(password: str) -> str:
    """Nothing stays nothing."""
    return _keys().encrypt(password.encode()).decode() if password else ""


def decrypt_password(encrypted: str) -> str:
    """Raises PasswordUnreadable where the SECRET_KEY is another one."""
    try:
        return _keys().decrypt(encrypted.encode()).decode() if encrypted else ""
    except InvalidToken:
        raise PasswordUnreadable(PasswordUnreadable.__doc__) from None


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(_key(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(secret: str | bytes) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(force_bytes(secret))
    return base64.urlsafe_b64encode(derived)
