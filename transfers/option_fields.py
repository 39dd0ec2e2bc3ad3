"""Fields of a form for a method's options, made of what `transfers.methods.options` knows of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field
from typing import Any

from django import forms

from transfers.methods.options import LONGEST, Takes, what_it_is

YES, NO = "yes", "no"


def option_field(option: Field[Any], method: str) -> forms.Field:
    """What is left empty keeps the method's default. `method`: its label, by which fields of several are told apart."""
    name = f"{method}: {option.name.replace('_', ' ')}"
    return _MAKERS[what_it_is(option)](option, name)


def _whole_number(option: Field[Any], name: str) -> forms.Field:
    known = option.metadata
    return forms.IntegerField(
        required=False,
        min_value=known["minimum"],
        max_value=known["maximum"],
        label=name,
        help_text=f"{_help_of(option)} ({known['minimum']:,} to {known['maximum']:,}).",
    )


def _yes_or_no(option: Field[Any], name: str) -> forms.Field:
    usual = YES if option.default else NO
    choices = [("", f"as usual: {usual}"), (YES, YES), (NO, NO)]
    return forms.TypedChoiceField(
        required=False,
        choices=choices,
        coerce=lambda text: text == YES,
        empty_value=None,
        label=name,
        help_text=f"{_help_of(option)}.",
    )


def _choice(option: Field[Any], name: str) -> forms.Field:
    choices = [("", f"as usual: {option.default}"), *((each, each) for each in option.metadata["choices"])]
    return forms.TypedChoiceField(
        required=False, choices=choices, empty_value=None, label=name, help_text=f"{_help_of(option)}."
    )


def _text(option: Field[Any], name: str) -> forms.Field:
    return forms.CharField(
        required=False,
        max_length=option.metadata.get("longest", LONGEST),
        empty_value=None,
        label=name,
        help_text=f"{_help_of(option)}.",
    )


def _help_of(option: Field[Any]) -> str:
    text = str(option.metadata["help"])
    return f"{text[:1].upper()}{text[1:]}"


_MAKERS: Mapping[Takes, Callable[[Field[Any], str], forms.Field]] = {
    Takes.WHOLE_NUMBER: _whole_number,
    Takes.YES_OR_NO: _yes_or_no,
    Takes.CHOICE: _choice,
    Takes.TEXT: _text,
}
