"""Which pages may open a websocket: those of this site. Browsers name the page's origin; programs name none."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

_PORTS = {"http": "80", "https": "443"}


def is_allowed(origin: str, host: str, allowed_hosts: Sequence[str], trusted_origins: Sequence[str]) -> bool:
    """Whether a page of this origin may connect to the server that it calls by this host (of the Host header).

    As for forms: origins that are trusted, and the very host and port that the server is called by, if allowed.
    Others that are allowed may be other sites, which may be sent the same cookies.
    """
    try:
        parts = urlsplit(origin.lower())
        port = str(parts.port or _PORTS.get(parts.scheme, ""))
    except ValueError:
        return False
    if any(_matches(parts, trusted.lower()) for trusted in trusted_origins):
        return True
    if parts.scheme not in _PORTS or not parts.hostname:
        return False
    domain, _ = split_domain_port(parts.netloc)
    own_domain, own_port = split_domain_port(host.lower())
    is_own = (domain, port) == (own_domain, own_port or _PORTS[parts.scheme])
    return is_own and validate_host(domain, allowed_hosts)


def _matches(origin: SplitResult, trusted: str) -> bool:
    """As Django compares them for CSRF: exactly, or any subdomain of `https://*.example.org`."""
    parts = urlsplit(trusted)
    if "*" not in parts.netloc:
        return (origin.scheme, origin.netloc) == (parts.scheme, parts.netloc)
    return origin.scheme == parts.scheme and is_same_domain(origin.netloc, parts.netloc.lstrip("*"))
