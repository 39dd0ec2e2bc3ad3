"""What an ASGI server runs: `uvicorn project.asgi:application`."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import django
from channels.routing import ProtocolTypeRouter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

django.setup(set_prefix=False)

# These need the settings, which are only there from here on.
from project.bodies import BodyHandler, bounded  # noqa: E402
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


application = ProtocolTypeRouter({"http": bounded(BodyHandler()), "websocket": websocket, "lifespan": lifespan})
