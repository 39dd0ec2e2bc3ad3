"""What a transfer's page shows of a source that sends by itself: the alias that it uses, and how far its jobs are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from transfers.states import HELD
from transfers.views.look import Look
from transfers.wording import count_text

Context = dict[str, Any]
JOBS_SHOWN = 5
"""The newest: there is one for each attempt, and for each fault that may pass."""
_NAMES = ("source_alias", "job_started", "job_progress", "job_ended", "job_lost", "job_refused", "job_unclear")
_STREAMS = {
    True: "streamed, instance by instance (ChunkedTransfers)",
    False: "as one body of up to 2 GB, held in its memory (no ChunkedTransfers)",
}
_WITHOUT_JOB = {
    "job_refused": ("error", "The source began none"),
    "job_unclear": ("warning", "Not known whether the source began one"),
}


def jobs_context(look: Look) -> Context:
    """For `templates/transfers/_jobs.html`: nothing where we send ourselves."""
    told = list(look.transfer.events.filter(name__in=_NAMES).order_by("id").values_list("name", "detail"))
    if not told:
        return {"jobs": None}
    alias: Mapping[str, Any] = next((detail for name, detail in reversed(told) if name == "source_alias"), {})
    jobs = list(_jobs(told, is_held=look.state in HELD))
    return {"jobs": {"alias": _alias(alias), "shown": jobs[-JOBS_SHOWN:], "not_shown": max(0, len(jobs) - JOBS_SHOWN)}}


def _alias(detail: Mapping[str, Any]) -> Context:
    return {
        "name": str(detail.get("alias") or ""),
        "leads_to": str(detail.get("leads_to") or ""),
        "streams": _STREAMS.get(detail["chunked_transfers"], "") if "chunked_transfers" in detail else "",
    }


def _jobs(told: list[tuple[str, Mapping[str, Any]]], *, is_held: bool) -> Iterator[Context]:
    """One for each that was begun, and for each that was not; of those that did not end only the last can go on."""
    jobs: dict[str, Context] = {}
    for number, (name, detail) in enumerate(told):
        key = str(detail.get("job") or number)
        if name == "job_started":
            jobs[key] = _started(detail)
        elif name in _WITHOUT_JOB:
            tone, text = _WITHOUT_JOB[name]
            jobs[key] = {"tone": tone, "text": text, "reason": str(detail.get("reason") or "")}
        elif key in jobs:
            jobs[key] |= _changed(name, detail)
    for number, job in enumerate(jobs.values(), 1):
        goes_on = is_held and number == len(jobs)
        yield job | {"progress": job.get("progress") if goes_on else None}


def _started(detail: Mapping[str, Any]) -> Context:
    where = "the destination, which fetches by itself" if detail.get("where") == "destination" else "the source"
    return {
        "instances": count_text(int(detail.get("instances") or 0), "instance"),
        "where": where,
        "tone": "info",
        "text": "Begun",
        "reason": "",
        "progress": 0,
    }


def _changed(name: str, detail: Mapping[str, Any]) -> Context:
    if name == "job_progress":
        progress = int(detail.get("progress") or 0)
        return {"text": f"{detail.get('state') or 'Running'}, {progress} %", "progress": progress}
    ended: Context = {"reason": str(detail.get("reason") or ""), "progress": None}
    if name == "job_lost":
        return ended | {"tone": "warning", "text": "What became of it is not known"}
    is_success = detail.get("state") == "Success"
    return ended | {
        "tone": "info" if is_success else "warning",
        "text": "Ended in success, as it says" if is_success else "Failed",
    }
