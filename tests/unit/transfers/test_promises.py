"""Where promises break is said of methods that there are, and in the documentation too."""

from __future__ import annotations

from pathlib import Path

import pytest

from transfers.methods import METHODS
from transfers.promises import BROKEN_PROMISES, BrokenPromise, broken_promises_of

PAGE = Path(__file__).parents[3] / "docs" / "methods.md"


@pytest.mark.parametrize("broken", BROKEN_PROMISES, ids=lambda each: each.done)
def test_it_is_said_of_methods_that_there_are(broken: BrokenPromise) -> None:
    assert set(broken.methods) <= set(METHODS)


@pytest.mark.parametrize("key", METHODS)
def test_no_method_is_without_exception(key: str) -> None:
    assert broken_promises_of(key)


@pytest.mark.parametrize("broken", BROKEN_PROMISES, ids=lambda each: each.done)
def test_the_documentation_has_it(broken: BrokenPromise) -> None:
    row = f"| {broken.done} | {broken.told} | {broken.found} | {broken.seen_by} |"

    assert row in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("key", METHODS)
def test_the_documentation_says_what_the_success_of_each_method_says(key: str) -> None:
    method = METHODS[key]
    may_trust = "only of a whole study that is committed" if method.destination_may_trust_stable_study else "no"
    row = f"| `{key}` | {', '.join(f'`{kind}`' for kind in method.kinds)} | {method.sender_can_trust} | {may_trust} |"

    assert row in PAGE.read_text(encoding="utf-8")
