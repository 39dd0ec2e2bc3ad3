"""What docs/ says of kinds, rules, states, errors, options and exit statuses is what the code does."""

from __future__ import annotations

import ast
import json
import re
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from inspect import getsource
from itertools import product
from pathlib import Path
from pkgutil import iter_modules

import pytest
from django.core.management import load_command_class
from django.core.management.base import BaseCommand

from audit.breaks import BreakKind
from audit.content import NotComparable
from audit.entries import SkippedKind
from audit.judgements import (
    PROOFS,
    Fact,
    InstanceVerdict,
    Policy,
    StudyVerdict,
    WasThereBefore,
)
from audit.links import LinkKind
from audit.observations import MEANING, EvidenceKind, Polarity
from audit.receipt_format import INSTANCE, evidence_line, manifest_line
from audit.verdicts import judge_instance, judge_study
from transfers.errors import AssociationError, RequestError, SourceError, TransferError
from transfers.exit_codes import WORST_FIRST, ExitCode, exit_code_of
from transfers.management import commands
from transfers.probes import absence, content, content_judge, presence
from transfers.states import BATCH_TRANSITIONS, TRANSITIONS, BatchState, State

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md")) + [page for page in [ROOT / "README.md"] if page.exists()]
COMMANDS = [module.name for module in iter_modules(commands.__path__)]

Row = dict[str, str]


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def tables(page: str) -> Iterator[list[Row]]:
    """The tables of a page, each row by the heads of its columns."""
    for block in re.findall(r"(?:^\|.*\n)+", text(page), re.MULTILINE):
        head, _, *rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
        yield [dict(zip(head, row, strict=True)) for row in rows]


def table(page: str, *columns: str) -> list[Row]:
    """The one table of a page that has these columns."""
    (found,) = (rows for rows in tables(page) if set(columns) <= set(rows[0]))
    return found


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def word(cell: str) -> str:
    (only,) = quoted(cell)
    return only


# Verdicts

SPEAKS = {"for": Polarity.POSITIVE, "against": Polarity.NEGATIVE, "neither": Polarity.NEUTRAL}


def test_every_kind_of_evidence_is_explained_with_its_family_and_what_it_says() -> None:
    explained = {
        word(row["kind"]): (set(row["family"].split(", ")), SPEAKS[row["speaks"]])
        for row in table("verdicts.md", "kind", "speaks")
    }

    assert explained == {kind: (set(families), polarity) for kind, (families, polarity) in MEANING.items()}


EXAMPLES = table("verdicts.md", "evidence", "before", "switch")


@pytest.mark.parametrize("row", EXAMPLES, ids=[row["evidence"].replace("`", "") + row["switch"] for row in EXAMPLES])
def test_a_worked_example_has_the_verdict_that_it_shows(row: Row) -> None:
    evidence = (fact.split() for fact in quoted(row["evidence"]))
    facts = frozenset(Fact(EvidenceKind(kind), int(of_round)) for kind, of_round in evidence)
    policy = Policy(**{row["switch"]: True}) if row["switch"] else Policy()

    judgement = judge_instance(facts, policy, WasThereBefore(row["before"]))

    assert judgement.verdict == word(row["verdict"])
    assert judgement.is_contradiction == ("flagged" in row["because"])


ORDER = (InstanceVerdict.CONFIRMED, InstanceVerdict.REFUTED, InstanceVerdict.UNPROVEN, InstanceVerdict.PENDING)
COUNTS = {"0": {0}, "some": {1, 2}, "any": {0, 1, 2}}


def test_the_first_line_of_the_study_table_that_applies_is_the_verdict() -> None:
    rows = table("verdicts.md", *ORDER)

    for counts in product(COUNTS["any"], repeat=len(ORDER)):
        row = next(
            row for row in rows if all(count in COUNTS[row[of]] for of, count in zip(ORDER, counts, strict=True))
        )
        assert judge_study(dict(zip(ORDER, counts, strict=True))) == word(row["verdict"]), counts


def test_the_exit_status_of_each_study_verdict_is_shown() -> None:
    shown = {StudyVerdict(word(row["verdict"])): row["exit status"] for row in table("verdicts.md", *ORDER)}

    assert shown.pop(StudyVerdict.PENDING) == ""
    assert {verdict: exit_code_of(State.FINISHED, verdict, 0) for verdict in shown} == {
        verdict: int(status) for verdict, status in shown.items()
    }


def test_the_proofs_are_named_from_the_weakest_to_the_strongest() -> None:
    (names,) = re.findall(r"weakest to strongest([^.]+)\.", text("verdicts.md"))

    assert quoted(names) == list(PROOFS)


# States and errors


def test_every_state_is_explained_with_what_may_follow() -> None:
    explained = {
        State(word(row["state"])): {State(each) for each in row["may become"].split(", ")}
        for row in table("architecture.md", "state", "may become")
    }

    assert explained == TRANSITIONS


def test_every_state_of_a_batch_is_explained_with_what_may_follow() -> None:
    explained = {
        BatchState(word(row["state of a batch"])): {BatchState(each) for each in row["may become"].split(", ") if each}
        for row in table("architecture.md", "state of a batch", "may become")
    }

    assert explained == BATCH_TRANSITIONS


def leaves_of(error: type[TransferError]) -> Iterator[type[TransferError]]:
    yield error
    for each in error.__subclasses__():
        yield from leaves_of(each)


FAMILIES = {
    TransferError: "c-store.md",
    AssociationError: "c-store.md",
    SourceError: "c-store.md",
    RequestError: "http.md",
}
"""And the page that names them."""


def test_every_error_is_explained_and_said_to_be_retriable_or_not() -> None:
    pages = [page.name for page in DOCS.glob("*.md")]
    explaining = (rows for page in pages for rows in tables(page) if {"code", "retriable"} <= set(rows[0]))
    explained = {word(row["code"]): row["retriable"] for rows in explaining for row in rows}

    of_transfers = {each for each in leaves_of(TransferError) if each.__module__ == TransferError.__module__}
    assert explained == {each.code: "yes" if each.retriable else "no" for each in of_transfers - set(FAMILIES)}
    for family, page in FAMILIES.items():
        assert f"`{family.code}`" in text(page)


def test_every_reason_for_not_concluding_presence_is_explained() -> None:
    explained = {word(row["code"]) for row in table("presence.md", "code", "what it means")}

    assert explained == {code for module in (absence, presence) for code in codes_in(getsource(module))}


def test_every_reason_for_not_concluding_content_is_explained() -> None:
    explained = {word(row["code of what stays open"]) for row in table("content.md", "code of what stays open")}

    faults: list[type[NotComparable]] = [NotComparable, *NotComparable.__subclasses__()]
    in_code = re.findall(r'"code": "([a-z_]+)"', getsource(content) + getsource(content_judge))
    assert explained == {fault.code for fault in faults} | set(in_code)


def codes_in(source: str) -> set[str]:
    """The codes that conclusions are made with: the last argument of those calls, where it is spelled out."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    last = (call.args[-1] for call in calls if getattr(call.func, "id", "") in {"_failed", "Conclusion"})
    words = (str(argument.value) for argument in last if isinstance(argument, ast.Constant))
    return {each for each in words if re.fullmatch(r"[a-z_]+", each)}


# The command line


def test_every_exit_status_is_explained_and_their_order() -> None:
    explained = [int(row["status"]) for row in table("command-line.md", "status", "meaning")]
    (order,) = re.findall(r"the first that occurs of ([\d, ]+)\.", text("command-line.md"))

    assert sorted(explained) == sorted(ExitCode)
    assert [int(status) for status in order.split(", ")] == list(WORST_FIRST)


def test_every_kind_of_skipped_file_is_explained() -> None:
    rows = table("command-line.md", "kind of what was skipped", "harmless")

    explained = {word(row["kind of what was skipped"]): row["harmless"] for row in rows}
    assert explained == {kind: "yes" if kind.is_harmless else "no" for kind in SkippedKind}


def parsers_of(command: BaseCommand) -> Iterator[ArgumentParser]:
    parser = command.create_parser("manage.py", "command")
    yield parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            yield from action.choices.values()


def options_of(command: BaseCommand) -> set[str]:
    return {option for parser in parsers_of(command) for action in parser._actions for option in action.option_strings}


DJANGOS = options_of(BaseCommand())


def own_options_of(name: str) -> set[str]:
    return {option for option in options_of(load_command_class("transfers", name)) - DJANGOS if option.startswith("--")}


def section_of(name: str) -> str:
    """What the page says of one command: its section, up to the next."""
    (section,) = re.findall(rf"^## `{name}`.*?(?=^## )", text("command-line.md"), re.MULTILINE | re.DOTALL)
    return str(section)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_explained_and_no_other(name: str) -> None:
    explained = set(re.findall(r"--[a-z][a-z0-9-]*", section_of(name)))

    assert explained == own_options_of(name)


# The ledger


@pytest.mark.parametrize(("column", "kinds"), [("kind of link", LinkKind), ("kind of break", BreakKind)])
def test_every_kind_of_link_and_of_break_is_explained(column: str, kinds: type[LinkKind | BreakKind]) -> None:
    assert {word(row[column]) for row in table("receipts.md", column)} == set(kinds)


def test_the_lines_that_the_digests_of_a_receipt_are_taken_of_are_those_that_are_shown() -> None:
    shown = {word(row["digest"]): quoted(row["line"]) for row in table("receipts.md", "digest", "line")}
    instance = {name: name for name in INSTANCE}

    lines = {"manifest_sha256": manifest_line(instance), "evidence_sha256": evidence_line(instance)}

    assert {digest: json.loads(line) for digest, line in lines.items()} == shown


# Links


def anchors_of(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|mailto:)([^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page

        assert linked.exists(), target
        assert linked.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors_of(linked), target


def test_every_page_is_in_the_index() -> None:
    linked = {(DOCS / target).resolve() for target in re.findall(r"\]\(([^)#]+)\)", text("README.md"))}

    assert {page for page in DOCS.rglob("*.md") if page.name != "README.md"} <= linked


PATHS = re.compile(r"`((?:audit|transfers|project|tests|\.ci)/[\w./-]+\.py)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = PATHS.findall(page.read_text(encoding="utf-8"))

    assert [path for path in named if not (ROOT / path).is_file()] == []
