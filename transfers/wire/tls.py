"""TLS for associations (PS3.15 Annex B): the settings of a destination as an SSL context."""

from __future__ import annotations

import ssl

from transfers.endpoints import TlsSettings
from transfers.errors import TlsFailed

_MINIMUM_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return a context that checks the peer's certificate and shows ours where one is set.

    Raises TlsFailed, naming the file, where a file cannot be read or does not fit.
    """
    context = _trusting_context(settings.ca_file)
    # Python 3.13 made this a default: it refuses what a hospital's own CA often signs (no Authority Key Identifier),
    # for its form alone. Whether an archive is trusted must not depend on the version of Python.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.minimum_version = _MINIMUM_VERSIONS[settings.minimum_version]
    context.check_hostname = settings.check_hostname
    if settings.certificate_file:
        _load_certificate(context, settings)
    return context


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return a context for who is connected to; with a CA, only peers whose certificate it has signed are let in.

    Raises TlsFailed, naming the file, where a file cannot be read or does not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _MINIMUM_VERSIONS[settings.minimum_version]
    if settings.ca_file:
        try:
            context.load_verify_locations(settings.ca_file)
        except (OSError, ValueError) as error:
            raise _ca_unusable(settings.ca_file, error) from error
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.verify_mode = ssl.CERT_REQUIRED
    _load_certificate(context, settings)
    return context


def tls_message(error: OSError) -> str:
    """Return what an error of the TLS layer means, and what to look at."""
    reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or error.strerror or str(error)
    return (
        f"TLS failed: {reason}. Check that the port speaks TLS, the CA, the client certificate and its key, "
        "and the minimum version on both sides."
    )


def _trusting_context(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ValueError) as error:
        raise _ca_unusable(ca_file, error) from error


def _ca_unusable(ca_file: str, error: Exception) -> TlsFailed:
    return TlsFailed(f"The CA file {ca_file} cannot be used ({error}). It should hold PEM certificates.")


def _load_certificate(context: ssl.SSLContext, settings: TlsSettings) -> None:
    try:
        # A key that wants a pass phrase would ask on the terminal; an empty one fails instead.
        context.load_cert_chain(settings.certificate_file, settings.key_file or None, password="")
    except (OSError, ValueError) as error:
        raise TlsFailed(
            f"The certificate {settings.certificate_file} cannot be used with its key "
            f"{settings.key_file or '(in the same file)'}: {error}. Both should be PEM, the key without a pass phrase."
        ) from error
