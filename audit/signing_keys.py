"""The Ed25519 keys that receipts are signed with: one in use, and the public halves of all that ever were. Pure."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64
"""RFC 8032 5.1.5 and 5.1.6."""


class KeyUnusable(Exception):
    """The key that signs receipts cannot be used. Look at the file receipt_key in the data folder and its rights."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or " ".join((self.__doc__ or "").split()))


class NotAPublicKey(Exception):
    """This is no Ed25519 public key: give 64 hexadecimal digits, or a PEM file."""

    def __init__(self) -> None:
        super().__init__(" ".join((self.__doc__ or "").split()))


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What anybody may know of a key: it checks signatures."""

    raw: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its 32 bytes, hexadecimal: what two people compare."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def key_id(self) -> str:
        """The beginning of the fingerprint: enough to tell the keys of an installation apart."""
        return self.fingerprint[:16]

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def pem(self) -> bytes:
        return Ed25519PublicKey.from_public_bytes(self.raw).public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key in use."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


class Signer(StrEnum):
    """Whose key it is, as far as this installation knows."""

    CURRENT = "current"
    EARLIER = "earlier"
    UNKNOWN = "unknown"


class KeyFolder:
    """The keys in the data folder: `receipt_key`, readable by its owner only, and `receipt_keys/ID.pem`, public."""

    def __init__(self, folder: Path) -> None:
        self._private = folder / "receipt_key"
        self._public = folder / "receipt_keys"

    def current(self) -> SigningKey:
        """The key in use; the first caller makes it. Several processes may start at once: all return the same.

        Raises KeyUnusable.
        """
        try:
            if not self._private.exists():
                self._put_new(replace=False)
            key = self._load()
            self._publish(key.public)
        except OSError as error:
            raise KeyUnusable(f"The key that signs receipts cannot be read or made: {error.strerror}.") from error
        return key

    def rotate(self) -> PublicKey:
        """Make another key the one in use; returns the one before, which goes on checking what it signed.

        Raises KeyUnusable.
        """
        before = self.current().public
        try:
            self._put_new(replace=True)
        except OSError as error:
            raise KeyUnusable(f"The new key cannot be written: {error.strerror}. The old one stays.") from error
        self.current()
        return before

    def known(self) -> Iterator[PublicKey]:
        """Every key that was ever in use here, as far as they are still in the folder."""
        for file in sorted(self._public.glob("*.pem")):
            with suppress(NotAPublicKey, OSError):
                yield public_key_of(file.read_bytes())

    def signer(self, key: PublicKey) -> Signer:
        """Whose it is; makes no key."""
        with suppress(KeyUnusable, OSError):
            if self._load().public == key:
                return Signer.CURRENT
        return Signer.EARLIER if key in self.known() else Signer.UNKNOWN

    def _load(self) -> SigningKey:
        try:
            key = load_pem_private_key(self._private.read_bytes(), password=None)
        except ValueError as error:
            raise KeyUnusable from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyUnusable
        return SigningKey(key)

    def _put_new(self, *, replace: bool) -> None:
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        draft = _draft(self._private, pem)
        try:
            if replace:
                os.replace(draft, self._private)
            else:
                with suppress(FileExistsError):  # whoever links first wins
                    os.link(draft, self._private)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(draft)

    def _publish(self, key: PublicKey) -> None:
        file = self._public / f"{key.key_id}.pem"
        if not file.exists():
            self._public.mkdir(mode=0o700, exist_ok=True)
            os.replace(_draft(file, key.pem()), file)


def _draft(beside: Path, content: bytes) -> str:
    """A whole file in the same folder, for its owner only, to be put in its place."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{beside.name}-", dir=beside.parent)  # mkstemp makes it 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def public_key_of(text: bytes) -> PublicKey:
    """From PEM, or from 64 hexadecimal digits.

    Raises NotAPublicKey.
    """
    try:
        if text.lstrip().startswith(b"-----BEGIN"):
            key = load_pem_public_key(text.strip())
            if isinstance(key, Ed25519PublicKey):
                return PublicKey(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
        elif len(raw := bytes.fromhex(text.decode("ascii"))) == PUBLIC_BYTES:
            return PublicKey(raw)
    except ValueError:
        pass
    raise NotAPublicKey
