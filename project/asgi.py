"""What an ASGI server runs: `uvicorn project.asgi:application`."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

http = get_asgi_application()

# These need the settings, which are only there from here on.
from transfers import doorbell  # noqa: E402
from transfers.live.hub import end_hub  # noqa: E402
from transfers.routing import websocket  # noqa: E402


async def lifespan(_scope: Any, receive: Any, send: Any) -> None:
    """Ring through the loop that serves, and send everybody away before it ends."""
    while (await receive())["type"] == "lifespan.startup":
        doorbell.attach(asyncio.get_running_loop())
        await send({"type": "lifespan.startup.complete"})
    await end_hub()
    await send({"type": "lifespan.shutdown.complete"})


application = ProtocolTypeRouter({"http": http, "websocket": websocket, "lifespan": lifespan})
