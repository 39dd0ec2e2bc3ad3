"""What a form lets people say of a method's options, of every type that there can be."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import pytest
from django import forms
from django.core.exceptions import ValidationError

from transfers.methods import METHODS
from transfers.methods.options import check_options
from transfers.option_fields import option_field


@dataclass(frozen=True, slots=True)
class Options:
    requests: int = field(default=0, metadata={"help": "how many", "minimum": 1, "maximum": 32})
    gzip: bool = field(default=False, metadata={"help": "whether it is compressed"})
    body: str = field(default="chunked", metadata={"help": "how it is sent", "choices": ("chunked", "buffered")})
    alias: str = field(default="", metadata={"help": "the name of the destination", "longest": 8})


def field_of(name: str) -> forms.Field:
    (option,) = [each for each in fields(Options) if each.name == name]
    return option_field(option, "A method")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("requests", "4", 4),
        ("gzip", "yes", True),
        ("gzip", "no", False),
        ("body", "buffered", "buffered"),
        ("alias", "north", "north"),
    ],
    ids=str,
)
def test_what_is_said_becomes_a_value_that_the_method_takes(name: str, text: str, value: Any) -> None:
    said = field_of(name).clean(text)

    assert said == value
    assert check_options(Options, {name: said}) == {name: value}


@pytest.mark.parametrize("name", [each.name for each in fields(Options)])
def test_what_is_left_empty_is_the_method_s_own(name: str) -> None:
    assert field_of(name).clean("") is None


@pytest.mark.parametrize(
    ("name", "text"), [("requests", "33"), ("gzip", "maybe"), ("body", "folded"), ("alias", "longer than eight")]
)
def test_what_it_cannot_take_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValidationError):
        field_of(name).clean(text)


@pytest.mark.parametrize("key", METHODS)
def test_every_method_has_fields_with_help(key: str) -> None:
    made = [option_field(option, METHODS[key].label) for option in fields(METHODS[key].Options)]

    assert all(each.help_text and each.label for each in made)
