"""The ways to send: what each takes, can prove at best, and came to here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, fields
from itertools import product
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.judgements import Policy
from transfers.api import words
from transfers.api.views import Guarded
from transfers.ceilings import ceiling
from transfers.fitting import may_ask_for_commitment
from transfers.method_figures import TIMED, Figures, method_figures
from transfers.methods import METHODS
from transfers.methods.base import Method
from transfers.methods.options import LONGEST, Takes, what_it_is
from transfers.promises import broken_promises_of


class OptionDocument(serializers.Serializer[Any]):
    """What may be said of a method for one batch."""

    name = serializers.CharField()
    help = serializers.CharField()
    takes = serializers.ChoiceField(words.OPTION_VALUES)
    minimum = serializers.IntegerField(allow_null=True, help_text="Of a whole number.")
    maximum = serializers.IntegerField(allow_null=True, help_text="Of a whole number.")
    choices = serializers.ListField(child=serializers.CharField(), allow_null=True, help_text="Of a choice.")
    longest = serializers.IntegerField(allow_null=True, help_text="Of a text: how many characters.")


class BestDocument(serializers.Serializer[Any]):
    """What the verdict can be at best, where nothing of the study was at the destination before."""

    verify = serializers.ChoiceField(words.LEVELS)
    acknowledgement_means_stored = serializers.BooleanField(help_text="As declared of the destination.")
    commitment = serializers.BooleanField(
        help_text="Whether the destination is asked to commit, by the method or by its option `commitment`."
    )
    verdict = serializers.ChoiceField(words.STUDY_VERDICTS)
    proof = serializers.ChoiceField(words.PROOF_GROUNDS, allow_null=True)
    text = serializers.CharField(help_text="Why, and what it does not cover.")


class FiguresDocument(serializers.Serializer[Any]):
    """What a method came to at one destination of this installation."""

    destination = serializers.CharField()
    transfers = serializers.IntegerField()
    by_verdict = serializers.DictField(child=serializers.IntegerField(), help_text="Transfers, by their verdict.")
    timed = serializers.IntegerField(help_text=f"Of how many the medians are: the newest {TIMED} that are committed.")
    median_bytes_per_second = serializers.FloatField(allow_null=True, help_text="Of those sent in one attempt.")
    median_instances_per_second = serializers.FloatField(allow_null=True, help_text="Of those sent in one attempt.")
    median_seconds_to_verified = serializers.FloatField(
        allow_null=True, help_text="From the beginning of sending to the seal."
    )


class BrokenPromiseDocument(serializers.Serializer[Any]):
    """Where what a method promises was measured to break."""

    done = serializers.CharField()
    told = serializers.CharField(help_text="What the sender was told.")
    found = serializers.CharField(help_text="What was there.")
    seen_by = serializers.CharField(help_text="What notices it.")


class MethodDocument(serializers.Serializer[Any]):
    """A way to send."""

    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the metaclass takes fields out of the class
    kinds = serializers.ListField(
        child=serializers.ChoiceField(words.DESTINATION_KINDS), help_text="Of destination, that it can send to."
    )
    sources = serializers.ListField(
        child=serializers.ChoiceField(words.SOURCE_KINDS), help_text="Of what it sends: files, or kinds of source."
    )
    asks_commitment = serializers.BooleanField(help_text="Whether the destination is asked to commit afterwards.")
    options = OptionDocument(many=True)
    sender_can_trust = serializers.CharField(help_text="What its own success says: a claim, no proof.")
    destination_may_trust_stable_study = serializers.BooleanField(
        help_text="Whether a study appears at once, so that the destination's own stable event says it is complete."
    )
    best = BestDocument(many=True)
    breaks = BrokenPromiseDocument(many=True)
    figures = FiguresDocument(many=True)


class MethodPage(serializers.Serializer[Any]):
    """All of them, on one page."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = MethodDocument(many=True)


class MethodViews(Guarded):
    """Methods."""

    @extend_schema(summary="List the methods", responses=MethodPage)
    def get(self, _request: Request) -> Response:
        figures = method_figures()
        results = [
            _document(method) | {"figures": [_figures(each) for each in figures if each.method == method.key]}
            for method in METHODS.values()
        ]
        return Response({"next": None, "previous": None, "results": results})


def _document(method: Method) -> dict[str, Any]:
    return {
        "key": method.key,
        "label": method.label,
        "kinds": list(method.kinds),
        "sources": list(method.sources),
        "asks_commitment": method.asks_commitment,
        "options": [_option(option) for option in fields(method.Options)],
        "sender_can_trust": method.sender_can_trust,
        "destination_may_trust_stable_study": method.destination_may_trust_stable_study,
        "best": list(_best(method)),
        "breaks": [
            {"done": each.done, "told": each.told, "found": each.found, "seen_by": each.seen_by}
            for each in broken_promises_of(method.key)
        ],
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "destination": figures.destination,
        "transfers": figures.transfers,
        "by_verdict": dict(figures.verdicts),
        "timed": figures.timed,
        "median_bytes_per_second": figures.bytes_per_second,
        "median_instances_per_second": figures.instances_per_second,
        "median_seconds_to_verified": figures.seconds_to_verified,
    }


def _option(option: Field[Any]) -> dict[str, Any]:
    takes = what_it_is(option)
    return {
        "name": option.name,
        "help": option.metadata["help"],
        "takes": takes.value,
        "minimum": option.metadata.get("minimum"),
        "maximum": option.metadata.get("maximum"),
        "choices": option.metadata.get("choices"),
        "longest": option.metadata.get("longest", LONGEST) if takes is Takes.TEXT else None,
    }


def _best(method: Method) -> Iterator[dict[str, Any]]:
    asks = [False, True] if may_ask_for_commitment(method) else [method.asks_commitment]
    for verify, is_trusted, asks_commitment in product(words.LEVELS, (False, True), asks):
        policy = Policy(is_trusted)
        verdict, proof, sentence = ceiling(method.key, policy, verify, asks_commitment=asks_commitment)
        yield {
            "verify": verify,
            "acknowledgement_means_stored": is_trusted,
            "commitment": asks_commitment,
            "verdict": verdict,
            "proof": proof,
            "text": sentence,
        }
