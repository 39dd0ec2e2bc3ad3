"""The page of methods: what each promises, where that breaks, and what came of it here."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from audit.judgements import Policy, StudyVerdict
from transfers.ceilings import Ceiling, ceiling
from transfers.feasibility import FILES
from transfers.fitting import may_ask_for_commitment
from transfers.method_figures import TIMED, Figures, method_figures
from transfers.methods import METHODS
from transfers.methods.base import Method
from transfers.models import kind_choices
from transfers.promises import BROKEN_PROMISES, MEASURED_ON
from transfers.verification import Level
from transfers.wording import VERDICT_WORDS, duration_text, method_text, size_text


@require_GET
def method_list(request: HttpRequest) -> HttpResponse:
    context = {
        "methods": [_promise(method) for method in METHODS.values()],
        "figures": [_figures(each) for each in method_figures()],
        "timed": TIMED,
        "broken": [
            {**each._asdict(), "methods": [METHODS[key].label for key in each.methods]} for each in BROKEN_PROMISES
        ],
        "number_of_methods": len(METHODS),
        "measured_on": MEASURED_ON,
    }
    return render(request, "methods/list.html", context)


def _promise(method: Method) -> dict[str, Any]:
    """As `templates/methods/_promises.html` wants it."""
    kinds = dict(kind_choices())
    return {
        "key": method.key,
        "label": method.label,
        "is_ours": FILES in method.sources,
        "kinds": [kinds[kind] for kind in method.kinds],
        "trusts": method.sender_can_trust,
        "may_trust_stable_study": method.destination_may_trust_stable_study,
        "unasked": _best(method, Level.NONE),
        "asked": _best(method, Level.PRESENCE),
        "by_option": _best(method, Level.NONE, commits=True) if may_ask_for_commitment(method) else None,
    }


def _best(method: Method, level: Level, *, commits: bool = False) -> Ceiling:
    return ceiling(method.key, Policy(), level.value, asks_commitment=method.asks_commitment or commits)


def _figures(figures: Figures) -> dict[str, Any]:
    """As `templates/methods/_figures.html` wants it."""
    speed, instances, seconds = figures.bytes_per_second, figures.instances_per_second, figures.seconds_to_verified
    return {
        "method": method_text(figures.method),
        "destination": figures.destination,
        "transfers": figures.transfers,
        "verdicts": [
            {"verdict": verdict.value, "word": VERDICT_WORDS[verdict], "count": f"{count:,}"}
            for verdict in StudyVerdict
            if (count := figures.verdicts.get(verdict, 0))
        ],
        "speed": f"{size_text(speed)}/s" if speed is not None else "",
        "instances": f"{instances:,.0f}/s" if instances is not None and instances >= 10 else _few(instances),
        "to_verified": duration_text(seconds) if seconds is not None else "",
        "timed": figures.timed,
    }


def _few(instances: float | None) -> str:
    return f"{instances:.1f}/s" if instances is not None else ""
