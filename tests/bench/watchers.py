"""Browsers that watch: `python -m tests.bench.watchers PORT TOKEN TRANSFER COUNT`, until standard input ends.

Prints `watching` once every socket has its snapshot, and at the end how many messages came over all of them.
"""

from __future__ import annotations

import asyncio
import sys

from websockets.asyncio.client import connect


async def _main(port: str, token: str, transfer: str, count: int) -> None:
    messages = 0
    address = f"ws://127.0.0.1:{port}/ws/transfers/{transfer}/"
    headers = {"Authorization": f"Token {token}"}

    async def watch(ready: asyncio.Event) -> None:
        nonlocal messages
        async with connect(address, additional_headers=headers, max_size=None) as socket:
            async for _ in socket:
                ready.set()
                messages += 1

    watching = []
    for _ in range(count):
        ready = asyncio.Event()
        watching.append(asyncio.create_task(watch(ready)))
        await asyncio.wait_for(ready.wait(), 30)
    print("watching", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for task in watching:
        task.cancel()
    print(messages)


if __name__ == "__main__":
    _, of_port, of_token, of_transfer, of_count = sys.argv
    asyncio.run(_main(of_port, of_token, of_transfer, int(of_count)))
