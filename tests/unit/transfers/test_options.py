"""Options given as text are checked against what the method declares."""

from __future__ import annotations

import pytest

from transfers.methods import METHODS
from transfers.methods.options import WrongOption, parse_options

OPTIONS = METHODS["c-store"].Options


def test_an_option_becomes_a_value() -> None:
    assert parse_options(OPTIONS, ["associations=2"]) == {"associations": 2}


@pytest.mark.parametrize("pair", ["associations", "associations=", "associations=0", "associations=many", "color=red"])
def test_a_wrong_option_is_refused_with_what_there_is(pair: str) -> None:
    with pytest.raises(WrongOption, match="associations"):
        parse_options(OPTIONS, [pair])
