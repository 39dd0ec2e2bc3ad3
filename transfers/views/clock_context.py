"""The commitment clock in words: what `templates/transfers/_commitment.html` is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from transfers.commitment_clock import Asking
from transfers.states import State
from transfers.views.look import Look
from transfers.wording import count_text, duration_text

Context = dict[str, Any]


def clock_context(askings: Sequence[Asking], look: Look) -> Context:
    """The askings, the newest first, and where to ask again."""
    may_ask = look.state.is_terminal or look.state is State.AWAITING_COMMITMENT
    newest = askings[0] if askings else None
    is_open = newest is None or not (newest.is_settled or newest.waiting)
    offers = look.transfer.destination.offers_commitment
    return {
        "askings": [_asking(asking, look.now) for asking in askings],
        "ask_again_url": look.url("transfer-ask-to-commit") if may_ask and is_open and offers else "",
    }


def _asking(asking: Asking, now: datetime) -> Context:
    requests = f" in {count_text(asking.requests, 'request')}" if asking.requests > 1 else ""
    return {
        "at": asking.asked_at,
        "text": f"Asked to commit to {count_text(asking.instances, 'instance')}{requests}",
        "lines": list(_lines(asking, now)),
        "reasons": asking.reasons,
    }


def _lines(asking: Asking, now: datetime) -> Iterator[Context]:
    if asking.not_taken:
        text = f"The request about {count_text(asking.not_taken, 'instance')} was not taken; below it says why."
        yield {"tone": "warning", "icon": "warning", "text": text}
    if asking.answered_at:
        tone = "success" if asking.is_settled else "warning"
        yield {"tone": tone, "icon": tone, "at": asking.answered_at, "text": _answer(asking)}
    if asking.waiting and asking.due_at:
        left = (asking.due_at - now).total_seconds()
        when = f"in {duration_text(left)}" if left > 0 else "now"
        text = f"The report about {count_text(asking.waiting, 'instance')} is due {when}."
        yield {"tone": "", "icon": "clock", "at": asking.due_at, "text": text}
    if asking.overdue and asking.overdue_since:
        text = f"Overdue: no report about {count_text(asking.overdue, 'instance')}. One that comes late still counts."
        yield {"tone": "warning", "icon": "clock", "at": asking.overdue_since, "text": text}


def _answer(asking: Asking) -> str:
    counts = {"committed": asking.committed, "not committed": asking.failed, "not mentioned": asking.not_mentioned}
    said = [f"{count:,} {words}" for words, count in counts.items() if count or words == "committed"]
    return f"Answered: {', '.join(said)}."
