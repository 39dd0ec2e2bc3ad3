"""What a page says, as its reader sees it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from transfers.models import Transfer


def text_of(answer: Any) -> str:
    """The page as it came, with its entities resolved."""
    return unescape(answer.content.decode())


def words_of(answer: Any) -> str:
    """Without its tags, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", text_of(answer)).split())


def transfers_in(answer: Any) -> list[str]:
    """The ids of the transfers that a list shows, in its order."""
    return re.findall(r'<tr id="transfer-([0-9a-f-]+)"', text_of(answer))


def link_in(answer: Any, relation: str) -> str:
    """Where the link to the next or previous page leads; empty where there is none."""
    found = re.search(rf'rel="{relation}" href="([^"]*)"', text_of(answer))
    return found[1] if found else ""


def page_of(transfer: Transfer, more: str = "") -> str:
    """The address of the page of a transfer, or of what lies below it."""
    return f"/transfers/{transfer.public_id}/{more}"


def instances_in(answer: Any) -> list[int]:
    """The numbers of the instances that the table shows."""
    return [int(number) for number in re.findall(r'<tr id="instance-(\d+)"', text_of(answer))]


def link_called(answer: Any, words: str) -> str:
    """Where the link with these words leads."""
    links = re.findall(r'<a [^>]*?href="([^"]+)"[^>]*>(.*?)</a>', text_of(answer), re.DOTALL)
    (url,) = {url for url, inside in links if words in " ".join(re.sub(r"<[^>]+>", " ", inside).split())}
    return str(url).partition("#")[0]
