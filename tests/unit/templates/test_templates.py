"""The templates: nothing that the content security policy refuses, icons beside words, error pages that always work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.template.loader import get_template, render_to_string

from audit.judgements import InstanceVerdict, StudyVerdict

TEMPLATES = Path(__file__).parents[3] / "templates"
FILES = sorted(TEMPLATES.rglob("*.html"))
VERDICTS = [*StudyVerdict, *InstanceVerdict]


def name_of(file: Path) -> str:
    return str(file.relative_to(TEMPLATES))


def source_of(file: Path) -> str:
    """Without comments."""
    text = file.read_text(encoding="utf-8")
    return re.sub(r"{% comment %}.*?{% endcomment %}", "", text, flags=re.DOTALL)


def icon(name: str) -> str:
    return render_to_string("components/icon.html", {"name": name})


def chip(verdict: str, **context: str) -> str:
    return render_to_string("components/verdict_chip.html", {"verdict": verdict, **context})


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_no_template_holds_a_style_or_a_script_of_its_own(file: Path) -> None:
    found = re.findall(r"<style|\bstyle=|<script(?![^>]*\bsrc=)|\son\w+=|\bhx-on\b|javascript:", source_of(file))

    assert found == []


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_template_can_be_parsed(file: Path) -> None:
    assert get_template(name_of(file)) is not None


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_icon_that_is_asked_for_is_drawn(file: Path) -> None:
    names = re.findall(r'components/icon\.html" with name="([\w-]+)"', source_of(file))

    assert [name for name in names if icon(name) == icon("no such icon")] == []


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_has_an_icon_of_its_own_and_its_word(verdict: str) -> None:
    word = verdict.replace("-", " ").capitalize()

    assert icon(verdict) != icon("no such icon")
    assert icon(verdict) in chip(verdict)
    assert f">{word}<" in chip(verdict)


@pytest.mark.parametrize("verdicts", [StudyVerdict, InstanceVerdict])
def test_no_two_verdicts_look_alike_without_colour(verdicts: type[StudyVerdict | InstanceVerdict]) -> None:
    assert len({icon(verdict) for verdict in verdicts}) == len(verdicts)


def test_a_chip_says_what_goes_on_instead_of_pending() -> None:
    text = chip(StudyVerdict.PENDING, word="Sending", detail="312/s")

    assert ">Sending<" in text
    assert ">312/s<" in text
    assert "Pending" not in text


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "429", "500"])
def test_error_pages_need_no_request(name: str) -> None:
    page = get_template(f"{name}.html").render()

    assert "<h1>" in page
    assert "css/base.css" in page


def test_the_page_for_our_own_errors_needs_no_address() -> None:
    assert "{% url" not in (TEMPLATES / "500.html").read_text(encoding="utf-8")


def test_a_notice_without_words_has_a_place_for_them() -> None:
    """A script writes them."""
    assert "<p></p>" in render_to_string("components/notice.html", {"tone": "error", "text": ""})
