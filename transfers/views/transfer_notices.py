"""What is to be known of a transfer before anything else of its page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import reverse

from audit.contradictions import contradictions_of
from transfers.contradictions import contradiction_lines
from transfers.models import Transfer
from transfers.permissions import may_operate
from transfers.states import State
from transfers.timeline import tell
from transfers.verdict_history import committed_at
from transfers.views.look import Look
from transfers.wording import count_text

Context = dict[str, Any]
FIRED = "stable_study_fired"


def notices_of(look: Look) -> list[Context]:
    """As `templates/components/notice.html` wants them, the worst first."""
    return [*_contradictions(look), *_alarm(look), *_stable_study(look), *_grown(look), *_left_to_know(look)]


def _contradictions(look: Look) -> Iterator[Context]:
    audit = look.transfer.audit
    if not look.is_over or not (count := audit.instances.filter(is_contradiction=True).count()):
        return
    yield {
        "tone": "error",
        "title": f"Proofs contradict each other for {count_text(count, 'instance')}",
        "text": "Look at the destination itself, or let the content be compared.",
        "url": look.instances_url({"contradiction": "any"}),
        "label": f"Show {count_text(count, 'instance')}",
        "lines": contradiction_lines(contradictions_of(audit).most_common(), look.instances_url),
    }


def _alarm(look: Look) -> Iterator[Context]:
    transfer = look.transfer
    if transfer.missing_since is None:
        return
    lacking = look.tally.get("refuted", 0)
    since = committed_at(transfer)
    lines: list[Context] = [{"at": since, "text": "Found to be committed."}] if since else []
    lines.append(
        {
            "at": transfer.missing_since,
            "text": f"Found to lack {count_text(lacking, 'instance')}, which nobody here had removed.",
            "url": look.instances_url({"verdict": "refuted"}),
        }
    )
    yield {
        "tone": "error",
        "title": f"It was committed, and now lacks {count_text(lacking, 'instance')}",
        "lines": lines,
        "action": look.url("transfer-alarm-seen"),
        "action_label": "I have seen it",
    }


def _stable_study(look: Look) -> Iterator[Context]:
    """What fired while something was missing goes on top; that it fired with all of it is good to know."""
    fired = list(look.transfer.events.filter(name=FIRED).order_by("id").values_list("at", "detail"))
    if not fired:
        return
    told = [(at, detail, tell(FIRED, detail)) for at, detail in fired]
    partial = [each for _, detail, each in told if not detail.get("complete")]
    first = partial[0] if partial else told[0][2]
    yield {
        "tone": "warning" if partial else "info",
        "title": f"{first.text}: {first.detail.lower()}" if first.detail else first.text,
        "lines": [{"at": at, "text": f"{each.text}."} for at, _, each in told],
    }


def _grown(look: Look) -> Iterator[Context]:
    """A study is never complete for good: what came to the source since is no part of what is proved."""
    transfer = look.transfer
    if not transfer.source or not (grown_by := transfer.source_grown_by):
        return
    more = f"{grown_by:,} more instance{'' if grown_by == 1 else 's'}"
    asked = f"{transfer.source} was asked again. What came since is no part of this transfer, nor of its verdict."
    notice: Context = {
        "tone": "warning",
        "title": f"The source has {more} since the manifest",
        "lines": [{"at": transfer.source_asked_at, "text": asked}],
    }
    if newer := _newer(transfer):
        sent: Context = {"at": newer.created_at, "text": "Submitted once more.", "url": _page_of(newer)}
        yield notice | {"tone": "info", "lines": [*notice["lines"], sent]}
    elif look.may_continue and may_operate(look.request.user):
        label = "Send the new one" if grown_by == 1 else f"Send the {grown_by:,} new ones"
        yield notice | {"action": look.url("transfer-send-new"), "action_label": label}
    else:
        yield notice


def _newer(transfer: Transfer) -> Transfer | None:
    """A later transfer of the same study, from the same source to the same destination."""
    of_study = Transfer.objects.filter(source=transfer.source, source_study_id=transfer.source_study_id)
    return of_study.filter(destination=transfer.destination, method__isnull=False, pk__gt=transfer.pk).first()


def _page_of(transfer: Transfer) -> str:
    return reverse("transfer", args=[transfer.public_id])


def _left_to_know(look: Look) -> Iterator[Context]:
    transfer = look.transfer
    if transfer.cancel_requested_at and not look.state.is_terminal:
        text = "Nothing new is sent. The destination is asked what arrived, then this is judged."
        yield {"tone": "warning", "title": "Cancel was asked for", "text": text}
    if look.state is State.DRAFT and transfer.batch:
        text = "Start or discard it on the page of what was submitted together."
        yield {"tone": "info", "title": "A draft: nothing was sent yet", "text": text}
    if left_out := transfer.audit.files_left_out:
        text = "They could not be read and are not part of this transfer; what was submitted together lists them."
        yield {"tone": "warning", "title": f"{count_text(left_out, 'file')} left out", "text": text}
