"""How processes ring each other's doorbells: through Redis, or within one process."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

SCHEMES = ("redis://", "rediss://", "unix://")


def chosen(url: str) -> dict[str, Any]:
    """The setting for the URL; without one, a layer within the process."""
    if not url:
        return {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    if not url.startswith(SCHEMES):
        raise ImproperlyConfigured("REDIS_URL must begin with redis://, rediss:// or unix://.")
    return {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [url], "prefix": "tallyman"},
        }
    }
