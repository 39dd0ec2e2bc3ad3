"""What can be done with a transfer, as its state permits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.judgements import StudyVerdict
from transfers import services
from transfers.forms import VerifyForm
from transfers.models import Transfer
from transfers.queue import TransferIsHeld
from transfers.rollback import CannotRollBack
from transfers.rows import title_of
from transfers.states import State
from transfers.views.look import Look
from transfers.wording import count_text, size_text

Context = dict[str, Any]


def actions_of(look: Look) -> Context:
    """As `templates/transfers/_heading.html` wants them; what cannot be done now is left out."""
    transfer = look.transfer
    actions: Context = {}
    if not look.state.is_terminal and transfer.cancel_requested_at is None:
        label = "Stop waiting" if look.state is State.AWAITING_COMMITMENT else "Cancel"
        actions = {"cancel_url": look.url("transfer-cancel"), "cancel_label": label}
    if look.state.is_terminal or look.state is State.AWAITING_COMMITMENT:
        actions |= {"verify_url": look.url("transfer-verify")}
    resend = services.preview_retry(transfer)
    if resend.instances:
        word = "Resume: send" if not transfer.audit.is_sealed else "Resend"
        lacking = _lacking(look.tally, resend.instances)
        label = f"{word} the {resend.instances:,} {lacking} ({size_text(resend.size_bytes)})"
        actions |= {"retry_url": look.url("transfer-retry"), "retry_label": label}
    return actions


def again_of(look: Look, form: VerifyForm | None = None) -> Context:
    """As `templates/transfers/_again.html` wants it: how to ask again, or to take it back."""
    transfer = look.transfer
    if not (look.state.is_terminal or look.state is State.AWAITING_COMMITMENT):
        return {"again": None}
    return {
        "again": {
            "form": form or VerifyForm(transfer=transfer),
            "url": look.url("transfer-verify"),
            "reverify_at": transfer.reverify_at,
            "removal": _removal(look),
        }
    }


def roll_back_context(transfer: Transfer) -> Context:
    """For `templates/transfers/roll_back.html`."""
    context: Context = {
        "public_id": transfer.public_id,
        "title": title_of(transfer),
        "destination": transfer.destination.name,
        "uid": transfer.study_instance_uid,
    }
    try:
        brought = services.preview_roll_back(transfer)
    except (CannotRollBack, services.DestinationMoved) as error:
        return context | {"why_not": str(error)}
    except TransferIsHeld:
        return context | {"why_not": "A process works on this transfer just now, or it was never begun."}
    return context | {"removes": brought.instances, "stays": brought.stays}


def _removal(look: Look) -> Context:
    """Where it is asked whether to remove it again, or why it cannot be."""
    if look.transfer.method is None or look.transfer.verdict == StudyVerdict.NOTHING_STORED:
        return {}
    try:
        brought = services.preview_roll_back(look.transfer)
    except (CannotRollBack, services.DestinationMoved) as error:
        return {"why_not": str(error)}
    except TransferIsHeld:
        return {}
    return {"url": look.url("transfer-roll-back"), "label": f"Remove {count_text(brought.instances, 'instance')} again"}


def _lacking(tally: Mapping[str, int], instances: int) -> str:
    """What is refuted is missing; with what is only unproven among it, all that can be said is: not proven."""
    return "missing" if tally.get("refuted", 0) == instances else "not proven"
