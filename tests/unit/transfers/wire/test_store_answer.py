"""A C-STORE status is a yes, a no, or neither, by PS3.4 B.2.3 and PS3.7 Annex C."""

from __future__ import annotations

import pytest

from audit.observations import EvidenceKind
from transfers.wire.store_answer import judge_status


@pytest.mark.parametrize("code", [0x0000, 0xB000, 0xB006, 0xB007, 0x0107, 0x0116])
def test_success_and_the_listed_warnings_are_acknowledged(code: int) -> None:
    assert judge_status(code).kind is EvidenceKind.ACKNOWLEDGED


@pytest.mark.parametrize(
    "code", [0xA700, 0xA7FF, 0xA900, 0xA9FF, 0xC000, 0xCFFF, 0x0110, 0x0112, 0x0122, 0x0124, 0x0213]
)
def test_the_listed_failures_are_refusals(code: int) -> None:
    assert judge_status(code).kind is EvidenceKind.REFUSED


@pytest.mark.parametrize("code", [0x0111, 0x0001, 0xB001, 0xBFFF, 0xA800, 0xD000, 0xFF00, 0xFE00, 0xFFFF, 0x9999])
def test_a_duplicate_and_what_no_table_lists_are_unclear(code: int) -> None:
    assert judge_status(code).kind is EvidenceKind.ANSWER_UNCLEAR


def test_every_code_has_words() -> None:
    assert all(judge_status(code).meaning for code in range(0x10000))


def test_a_warning_is_told_from_a_success() -> None:
    assert judge_status(0xB000).meaning == "Warning: Coercion of Data Elements"
    assert judge_status(0x0000).meaning == "Success"
