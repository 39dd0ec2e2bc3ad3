"""The two websockets: of one transfer, and of the list of all. They only pass on what the hub tells."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from transfers.events import Ended
from transfers.live.feeds import SocketClosed, Subscription, encode
from transfers.live.hub import TRY_AGAIN_LATER, hub
from transfers.logins import Login, login_in, user_of
from transfers.models import Transfer

logger = logging.getLogger(__name__)

LOGIN_SECONDS = 30.0
"""So often it is looked whether the login still holds; not all at once."""
RECEIVED_MAXIMUM = 16_384
"""Clients have nothing to say; what they say anyway is not heard, and this much of it ends the socket."""
RECEIVED_EACH = 64

NOT_LOGGED_IN, NO_SUCH_TRANSFER = 4401, 4404
POLICY_VIOLATION = 1008
"""RFC 6455 7.4.1."""


class LiveConsumer(AsyncWebsocketConsumer):
    """One socket. It hangs on the hub, not on the channel layer: a lost Redis ends no socket."""

    channel_layer_alias = "none"

    scope: Any

    def __init__(self) -> None:
        super().__init__()
        self._subscription: Subscription | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._received = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._let_go()

    async def connect(self) -> None:
        """Refusals come after accepting: only so does a browser get to see the code."""
        await self.accept()
        try:
            refusal = await self._begin()
        except DatabaseError:
            refusal = TRY_AGAIN_LATER
        if refusal is not None:
            await self.close(refusal)

    async def subscribe(self) -> Subscription | None:
        """To what is at this address; None where there is nothing."""
        return None

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self._received += RECEIVED_EACH + len(text_data or bytes_data or "")
        if self._received > RECEIVED_MAXIMUM:
            self._let_go()
            await self.close(POLICY_VIOLATION)

    @property
    def since(self) -> int | None:
        """The revision that a client has which was connected before."""
        given = parse_qs(self.scope["query_string"].decode("latin-1")).get("since", [""])[0]
        return int(given) if given.isascii() and given.isdigit() and len(given) < 20 else None

    async def _begin(self) -> int | None:
        """None, or the code of why not."""
        login = login_in(self.scope["headers"])
        if login is None or await database_sync_to_async(user_of)(login) is None:
            return NOT_LOGGED_IN
        self._subscription = await self.subscribe()
        if self._subscription is None:
            return NO_SUCH_TRANSFER
        self._start(self._send_all(self._subscription))
        self._start(self._watch_login(login, self._subscription))
        return None

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.get_running_loop().create_task(work))

    def _let_go(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        if self._subscription is not None:
            self._subscription.end()

    async def _send_all(self, subscription: Subscription) -> None:
        try:
            async for text in subscription:
                await self.send(text_data=text)
        except SocketClosed as closed:
            await self.close(closed.code)
        except (OSError, RuntimeError):  # the client has just gone, in the words of one server or the other
            logger.debug("A socket had gone", extra={"action": "socket_gone"}, exc_info=True)

    async def _watch_login(self, login: Login, subscription: Subscription) -> None:
        while True:
            await asyncio.sleep(LOGIN_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311
            if not await self._is_alive(login):
                break
        ended: Ended = {"type": "ended", "revision": subscription.revision}
        subscription.offer(encode(ended).text)
        subscription.close(NOT_LOGGED_IN)

    async def _is_alive(self, login: Login) -> bool:
        try:
            return await database_sync_to_async(user_of)(login) is not None
        except DatabaseError:
            return True  # nobody is logged out by a database that is away for a moment


class TransferConsumer(LiveConsumer):
    async def subscribe(self) -> Subscription | None:
        public_id: UUID = self.scope["url_route"]["kwargs"]["public_id"]
        exists = await database_sync_to_async(Transfer.objects.filter(public_id=public_id).exists)()
        return hub().watch_transfer(public_id, self.since) if exists else None


class TransfersConsumer(LiveConsumer):
    async def subscribe(self) -> Subscription | None:
        return hub().watch_list()
