"""The ways to send: what each takes, and what it can prove at best."""

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
from transfers.methods import METHODS
from transfers.methods.base import Method
from transfers.methods.options import LONGEST, Takes, what_it_is


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
    verdict = serializers.ChoiceField(words.STUDY_VERDICTS)
    proof = serializers.ChoiceField(words.PROOF_GROUNDS, allow_null=True)
    text = serializers.CharField(help_text="Why, and what it does not cover.")


class MethodDocument(serializers.Serializer[Any]):
    """A way to send."""

    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the metaclass takes fields out of the class
    kinds = serializers.ListField(
        child=serializers.ChoiceField(words.DESTINATION_KINDS), help_text="Of destination, that it can send to."
    )
    asks_commitment = serializers.BooleanField(help_text="Whether the destination is asked to commit afterwards.")
    options = OptionDocument(many=True)
    sender_can_trust = serializers.CharField(help_text="What its own success says: a claim, no proof.")
    destination_may_trust_stable_study = serializers.BooleanField(
        help_text="Whether a study appears at once, so that the destination's own stable event says it is complete."
    )
    best = BestDocument(many=True)


class MethodPage(serializers.Serializer[Any]):
    """All of them, on one page."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = MethodDocument(many=True)


class MethodViews(Guarded):
    """Methods."""

    @extend_schema(summary="List the methods", responses=MethodPage)
    def get(self, _request: Request) -> Response:
        return Response({"next": None, "previous": None, "results": [_document(each) for each in METHODS.values()]})


def _document(method: Method) -> dict[str, Any]:
    return {
        "key": method.key,
        "label": method.label,
        "kinds": list(method.kinds),
        "asks_commitment": method.asks_commitment,
        "options": [_option(option) for option in fields(method.Options)],
        "sender_can_trust": method.sender_can_trust,
        "destination_may_trust_stable_study": method.destination_may_trust_stable_study,
        "best": list(_best(method)),
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
    for verify, is_trusted in product(words.LEVELS, (False, True)):
        policy, asks_commitment = Policy(is_trusted), method.asks_commitment
        verdict, proof, sentence = ceiling(method.key, policy, verify, asks_commitment=asks_commitment)
        yield {
            "verify": verify,
            "acknowledgement_means_stored": is_trusted,
            "verdict": verdict,
            "proof": proof,
            "text": sentence,
        }
