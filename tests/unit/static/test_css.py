"""The style sheets: contrast in both themes, layers, and that every file is used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CSS = ROOT / "static" / "css"
FILES = sorted(CSS.glob("*.css"))
TONES = ("committed", "partial", "nothing-stored", "unverifiable", "pending", "accent")

Colour = tuple[float, float, float]


def tokens() -> str:
    return (CSS / "tokens.css").read_text(encoding="utf-8")


def colours(theme: str) -> dict[str, Colour]:
    """The custom properties that are colours, as they are in a theme."""
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", tokens())
    return {name: rgb(light if theme == "light" else dark) for name, light, dark in pairs}


def rgb(hexadecimal: str) -> Colour:
    red, green, blue = (int(hexadecimal[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Relative luminance as WCAG 2 defines it."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def tinted(tone: Colour, surface: Colour) -> Colour:
    """The surface of a chip or a notice."""
    found = re.search(r"--tint: (\d+)%", tokens())
    assert found
    share = int(found[1]) / 100
    red, green, blue = (a * share + b * (1 - share) for a, b in zip(tone, surface, strict=True))
    return red, green, blue


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "ink-soft", "ink-faint", *TONES])
@pytest.mark.parametrize("surface", ["paper", "card", "sunken"])
def test_text_can_be_read_on_every_surface(theme: str, text: str, surface: str) -> None:
    found = colours(theme)

    assert contrast(found[text], found[surface]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("tone", TONES)
def test_chips_and_notices_can_be_read(theme: str, tone: str) -> None:
    found = colours(theme)

    surface = tinted(found[tone], found["card"])

    assert min(contrast(found[text], surface) for text in (tone, "ink", "ink-soft")) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_buttons_can_be_read_and_edges_of_controls_seen(theme: str) -> None:
    found = colours(theme)

    assert contrast(found["on-accent"], found["accent"]) >= 4.5
    assert contrast(found["on-accent"], found["accent-strong"]) >= 4.5
    assert contrast(found["edge"], found["card"]) >= 3


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_rule_lies_in_a_layer(file: Path) -> None:
    text = re.sub(r"/\*.*?\*/", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)

    outermost = re.findall(r"^\S.*", text, flags=re.MULTILINE)

    assert all(line.startswith("@layer") or line == "}" for line in outermost)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_style_sheets_stay_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 250


def test_every_style_sheet_is_linked() -> None:
    linked = re.findall(r"css/([\w-]+\.css)", (ROOT / "templates/components/styles.html").read_text(encoding="utf-8"))

    assert sorted(linked) == [file.name for file in FILES]


def test_no_colour_is_named_outside_of_the_tokens() -> None:
    elsewhere = [file for file in FILES if file.name not in {"tokens.css", "print.css"}]

    named = {file.name: re.findall(r"#[0-9a-f]{3,8}\b", file.read_text(encoding="utf-8")) for file in elsewhere}

    assert {name: found for name, found in named.items() if found} == {}
