"""What a page says, as its reader sees it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any


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
