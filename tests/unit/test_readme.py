"""What the README says of the environment and of commands is what the code does."""

from __future__ import annotations

import ast
import re
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from shlex import split

import pytest
from django.core.management import get_commands, load_command_class

from transfers.exit_codes import ExitCode

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def variables_read() -> Iterator[str]:
    """Every name that the settings give to a function which asks the environment; of a secret, also its file's."""
    for node in ast.walk(ast.parse((ROOT / "project" / "settings.py").read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("env")), args=[ast.Constant(str(name)), *_]):
                yield name
            case ast.Call(func=ast.Name("whole_number" | "yes_or_no"), args=[ast.Constant(str(name)), *_]):
                yield name
            case ast.Call(func=ast.Name("secret"), args=[ast.Constant(str(name))]):
                yield from (name, f"{name}_FILE")


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def commands_shown() -> list[str]:
    return re.findall(r"manage\.py ((?:[a-z][\w ./-]*|--[\w-]+)+)", README)


def test_it_begins_with_the_two_commands_that_do_everything() -> None:
    assert README.startswith("# Tallyman\n\n```\nmake demo ")
    assert README.index("make test") < README.index("## ")


def test_every_variable_that_is_read_is_explained_and_no_other() -> None:
    table = re.findall(r"^\| `(\w+)` \|", section("Environment"), re.MULTILINE)
    files = re.findall(r"`(\w+_FILE)`", section("Environment"))

    assert sorted(table + files) == sorted(set(variables_read()))
    assert len(set(variables_read())) == 19


def test_every_make_target_is_explained_and_no_other() -> None:
    first_column = " ".join(re.findall(r"^\| (`make .*?) \|", section("Development"), re.MULTILINE))
    (targets,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)

    assert sorted(re.findall(r"make (\w+)", first_column)) == sorted(targets.split())


def test_every_exit_status_is_in_the_table() -> None:
    rows = re.findall(r"^\| (\d+) \|", section("First steps with an archive of yours"), re.MULTILINE)

    assert [int(row) for row in rows] == sorted(ExitCode)


@pytest.mark.parametrize("line", commands_shown())
def test_every_command_that_is_shown_is_one_that_its_parser_takes(line: str) -> None:
    name, *arguments = split(line)
    known = get_commands()

    assert name in known
    if known[name] == "transfers":
        parser = load_command_class("transfers", name).create_parser("manage.py", name)
        assert isinstance(parser.parse_args(arguments), Namespace)
