"""What happened to a transfer, each event in a plain sentence. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from transfers.states import State
from transfers.wording import count_text, duration_text

Detail = Mapping[str, Any]


class Told(NamedTuple):
    text: str
    detail: str = ""
    tone: str = ""
    """success, warning, error, accent, or nothing."""


def tell(name: str, detail: Detail) -> Told:
    """The sentence of an event; one that is not known here is shown by its name, never hidden."""
    teller = TELLERS.get(name)
    return teller(detail) if teller else Told(name.replace("_", " ").capitalize(), _reason(detail))


_WHY_FAILED: Mapping[str, str] = {
    "destination_moved": "The destination was pointed to another archive since: send anew to reach that",
    "password_unreadable": "Its password was stored under another SECRET_KEY: set the destination's password again",
}


def _state_changed(detail: Detail) -> Told:
    if detail.get("after") == State.FAILED and (why := _WHY_FAILED.get(str(detail.get("reason")))):
        return Told("Failed before anything was sent", why, "error")
    return _STATES.get(str(detail.get("after")), Told(f"State: {detail.get('after')}"))


_STATES: Mapping[str, Told] = {
    State.QUEUED: Told("Waits for a worker"),
    State.CLAIMED: Told("Taken by a process"),
    State.PREPARING: Told("The manifest was read"),
    State.PREFLIGHT: Told("The destination is asked before the first byte"),
    State.DRAFT: Told("Waits for somebody to start it"),
    State.SENDING: Told("Sending began", tone="accent"),
    State.VERIFYING: Told("The destination is asked what arrived", tone="accent"),
    State.ROLLING_BACK: Told("What was brought there is removed again", tone="warning"),
    State.AWAITING_COMMITMENT: Told("All was done but the report of the destination, which is waited for"),
    State.FINISHED: Told("Judged, and sealed", tone="success"),
    State.CANCELLED: Told("Cancelled: judged, and sealed", tone="warning"),
    State.INTERRUPTED: Told("Stopped half-way; it can be resumed", tone="warning"),
    State.FAILED: Told("Failed by an error of ours; the log has more", tone="error"),
}


def _source_grown(detail: Detail) -> Told:
    more = int(detail.get("instances", 0))
    return Told(
        f"The source has {more:,} more {'instance' if more == 1 else 'instances'} since the manifest",
        "They are no part of this transfer",
        "warning",
    )


def _created(detail: Detail) -> Told:
    asked = "" if detail.get("method") else "Nothing will be sent: the destination is only asked"
    return Told("Submitted", asked or count_text(int(detail.get("instances", 0)), "instance"))


def _was_there_before(detail: Detail) -> Told:
    present, unknown = int(detail.get("present", 0)), int(detail.get("unknown", 0))
    if unknown:
        return Told(f"What was there before is not known of {count_text(unknown, 'instance')}", tone="warning")
    if present:
        return Told(f"{count_text(present, 'instance')} were there before under the same UID", tone="warning")
    return Told("None of the instances was there before")


def _association_opened(detail: Detail) -> Told:
    if asked := detail.get("asked"):
        return Told("Association opened to ask", str(asked))
    return Told(_numbered("Association opened", detail), _contexts(detail))


def _contexts(detail: Detail) -> str:
    accepted, rejected = detail.get("accepted_contexts", 0), detail.get("rejected_contexts", 0)
    return f"{accepted} presentation contexts accepted, {rejected} not"


def _list_finished(detail: Detail) -> Told:
    series = count_text(int(detail.get("series", 0)), "series")
    missing = int(detail.get("missing", 0))
    taken = f" in {duration_text(float(detail['seconds']))}" if isinstance(detail.get("seconds"), int | float) else ""
    if missing:
        return Told(f"Listed {series}{taken}: {count_text(missing, 'instance')} missing", tone="warning")
    return Told(f"Listed {series}{taken}: nothing missing")


_READ_BY: Mapping[str, str] = {"c-get": "by C-GET", "orthanc": "by Orthanc's REST API", "wado-rs": "by WADO-RS"}


def _content_finished(detail: Detail) -> Told:
    same = int(detail.get("identical", 0)) + int(detail.get("equivalent", 0))
    different, not_compared = int(detail.get("different", 0)), int(detail.get("probe_failed", 0))
    seconds = detail.get("seconds")
    taken = f" in {duration_text(float(seconds))}" if isinstance(seconds, int | float) else ""
    if different:
        others = f"{same:,} the same, {not_compared:,} not compared"
        return Told(f"Compared{taken}: {count_text(different, 'instance')} different", others, "error")
    text = f"Compared{taken}: {count_text(same, 'instance')} the same"
    return Told(
        text, f"{not_compared:,} not compared" if not_compared else "", "warning" if not_compared else "success"
    )


def _stable_study_fired(detail: Detail) -> Told:
    stored, of = int(detail.get("stored") or 0), int(detail.get("of") or 0)
    if detail.get("stored") is None:
        return Told(f"StableStudy fired; how many of {of:,} were there is not known", tone="warning")
    if detail.get("complete"):
        return Told(f"StableStudy fired at the destination with all of {count_text(of, 'instance')}")
    who = "Whoever relied on it has a partial study"
    return Told(f"StableStudy fired at {stored:,} of {of:,}", who, "warning")


def _commitment_report(detail: Detail) -> Told:
    committed, asked = int(detail.get("committed", 0)), int(detail.get("asked", 0))
    failed = int(detail.get("failed", 0))
    text = f"The destination reports: {committed:,} of {count_text(asked, 'instance')} committed"
    return Told(text, f"{failed:,} not" if failed else "", "success" if committed == asked else "warning")


ORPHAN_WORDS: Mapping[str, str] = {
    "wrong_ae_title": "It came from another AE title than the one that was asked",
    "foreign_instances": "It names instances that were not asked about",
    "repeated": "It says again what an earlier one said",
}


def _source_alias(detail: Detail) -> Told:
    text = f"The source knows the destination as {detail.get('alias')}: {detail.get('leads_to')}"
    if "chunked_transfers" not in detail:
        return Told(text)
    how = "It streams (ChunkedTransfers)"
    return Told(text, how if detail["chunked_transfers"] else "It sends one body of up to 2 GB (no ChunkedTransfers)")


def _job(text: str, detail: Detail) -> str:
    return f"{text} of the destination" if detail.get("where") == "destination" else f"{text} of the source"


def _job_progress(detail: Detail) -> Told:
    return Told(f"{_job('The job', detail)}: {int(detail.get('progress', 0))} %", str(detail.get("state") or ""))


def _job_ended(detail: Detail) -> Told:
    is_success = detail.get("state") == "Success"
    text = f"{_job('The job', detail)} ended in {'success' if is_success else 'failure'}"
    return Told(text, _reason(detail), "success" if is_success else "warning")


def _fault(text: str, tone: str = "warning") -> Callable[[Detail], Told]:
    return lambda detail: Told(_numbered(text, detail), _reason(detail), tone)


def _plain(text: str, tone: str = "") -> Callable[[Detail], Told]:
    return lambda detail: Told(_numbered(text, detail), _reason(detail), tone)


TELLERS: Mapping[str, Callable[[Detail], Told]] = {
    "created": _created,
    "state_changed": _state_changed,
    "resumed": _plain("Resumed"),
    "retried": _plain("To be sent again: what is not proved, and nothing else"),
    "reverified": lambda detail: Told("To be verified again: nothing is sent", str(detail.get("by") or "")),
    "cancel_requested": lambda detail: Told("Cancel was asked for", str(detail.get("by") or ""), "warning"),
    "abandoned": _plain("The process that held it has ended", "warning"),
    "was_there_before": _was_there_before,
    "preflight_failed": _fault("The destination could not be asked before sending"),
    "preflight_association": lambda detail: Told(
        "Asked what the destination takes",
        _contexts(detail),
    ),
    "association_opened": _association_opened,
    "association_released": lambda detail: Told(
        _numbered("Association released", detail), f"{detail.get('answers', 0):,} answers"
    ),
    "association_failed": _fault("An association could not be opened"),
    "association_lost": _fault("An association was lost"),
    "association_aborted_by_us": _fault("We aborted an association"),
    "association_interrupted": _plain("An association was ended: there was nothing left to send over it"),
    "association_rejected": _fault("An association was rejected"),
    "association_timed_out": _fault("An association was not answered in time"),
    "accelerator_found": _plain("The destination has the transfers accelerator"),
    "transaction_opened": lambda detail: Told(
        f"Push transaction no. {detail.get('transaction')} opened",
        f"{count_text(int(detail.get('instances', 0)), 'instance')} in {detail.get('buckets', 0):,} buckets",
    ),
    "transaction_not_created": _fault("A push transaction could not be opened"),
    "transaction_gone": _fault("The destination has forgotten the push transaction: another one begins"),
    "transaction_discarded": _fault("The push transaction was discarded at the destination"),
    "transaction_not_discarded": _fault("The push transaction could not be discarded"),
    "commit_asked": lambda detail: Told(
        f"Asked to store {count_text(int(detail.get('instances', 0)), 'instance')} by a commit", tone="accent"
    ),
    "commit_failed": _fault("The commit was not answered with success: any part of it may be stored"),
    "transaction_committed": lambda detail: Told(
        f"Committed in one transaction: {count_text(int(detail.get('instances', 0)), 'instance')}", tone="success"
    ),
    "commitment_asked": lambda detail: Told(
        f"Asked to commit to {count_text(int(detail.get('instances', 0)), 'instance')}", tone="accent"
    ),
    "commitment_not_asked": _fault("The destination could not be asked to commit"),
    "commitment_report": _commitment_report,
    "commitment_report_orphaned": lambda detail: Told(
        "A report of storage commitment was not used", ORPHAN_WORDS.get(str(detail.get("because")), ""), "warning"
    ),
    "commitment_overdue": lambda detail: Told(
        f"No report came in time about {count_text(int(detail.get('asked', 0)), 'instance')}",
        "One that comes late still counts",
        "warning",
    ),
    "source_alias": _source_alias,
    "job_started": lambda detail: Told(
        f"{_job('A job', detail)} sends {count_text(int(detail.get('instances', 0)), 'instance')}", tone="accent"
    ),
    "job_progress": _job_progress,
    "job_ended": _job_ended,
    "job_refused": _fault("The source began no job"),
    "job_unclear": _fault("It is not known whether the source began a job"),
    "job_lost": _fault("What became of the job is not known"),
    "job_not_cancelled": _fault("The job could not be cancelled"),
    "roll_back_asked": lambda detail: Told(
        "To be removed there again: what this transfer brought, and nothing else",
        str(detail.get("by") or ""),
        "warning",
    ),
    "roll_back_not_possible": lambda detail: Told(
        "Nothing was removed", str(detail.get("reason") or "The destination offers no way to"), "error"
    ),
    "rolled_back": lambda detail: Told(
        f"Removed {int(detail.get('removed', 0)):,} of {count_text(int(detail.get('asked', 0)), 'instance')} "
        "that this transfer had begun to send",
        tone="warning",
    ),
    "not_removed": lambda detail: Told(
        f"{count_text(int(detail.get('instances', 0)), 'instance')} could not be removed", _reason(detail), "error"
    ),
    "stable_study_fired": _stable_study_fired,
    "source_grown": _source_grown,
    "missing_again": _plain("The destination lacks instances now, though the study had been committed", "error"),
    "alarm_seen": lambda detail: Told("The alarm was seen", str(detail.get("by") or "")),
    "content_compared": lambda detail: Told(
        f"Contents compared of {int(detail.get('instances', 0)):,} "
        f"of {count_text(int(detail.get('of', 0)), 'instance')}"
    ),
    "content_started": lambda detail: Told(
        f"Reading back {count_text(int(detail.get('instances', 0)), 'instance')}",
        _READ_BY.get(str(detail.get("reader")), ""),
    ),
    "content_finished": _content_finished,
    "unasked_instances": lambda detail: Told(
        f"The destination sent {count_text(int(detail.get('instances', 0)), 'instance')} that nobody asked for",
        "They were dropped",
        "warning",
    ),
    "preflight_request": lambda detail: Told("The service lets us in", str(detail.get("orthanc") or "")),
    "request_failed": _fault("A request was not answered"),
    "request_too_large": _fault("A request was too large for the service: sent again in halves"),
    "request_broken_off": _fault("A request was broken off, because a file could not be read to its end"),
    "odd_receipts": lambda detail: Told(
        "An answer named what was not sent, or could not be named",
        f"{int(detail.get('foreign', 0)):,} foreign, {int(detail.get('not_understood', 0)):,} without a UID",
        "warning",
    ),
    "session_opened": lambda detail: Told("Began to ask over HTTP", str(detail.get("asked") or "")),
    "session_failed": _fault("The service could not be asked"),
    "session_lost": _fault("The service stopped answering"),
    "probe_started": lambda detail: Told(
        "Asking for the list of instances", count_text(int(detail.get("series", 0)), "series")
    ),
    "list_finished": _list_finished,
    "list_failed": _fault("A list could not be fetched"),
    "asked_directly": lambda detail: Told(
        f"Asked for {count_text(int(detail.get('questions', 0)), 'instance')} by name",
        f"{int(detail.get('found', 0)):,} of them found",
    ),
}


def _numbered(text: str, detail: Detail) -> str:
    number = detail.get("association")
    return f"{text} (no. {number})" if isinstance(number, int) else text


def _reason(detail: Detail) -> str:
    return str(detail.get("reason") or "")
