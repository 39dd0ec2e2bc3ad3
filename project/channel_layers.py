"""How processes ring each other's doorbells: through Redis, or within one process."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

SCHEMES = ("redis://", "rediss://", "unix://")
READ_SECONDS = 30.0
"""More than the five for which a listener has Redis wait for a message: its client would give up after those too."""


def chosen(url: str) -> dict[str, Any]:
    """The setting for the URL; without one, a layer within the process."""
    if not url:
        return {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    if not url.startswith(SCHEMES):
        raise ImproperlyConfigured("REDIS_URL must begin with redis://, rediss:// or unix://.")
    return {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [{"address": url, "socket_timeout": READ_SECONDS}], "prefix": "tallyman"},
        }
    }
