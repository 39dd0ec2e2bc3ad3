"""Which piece of an instance's evidence speaks for it now, as part of an SQL statement.

What decides goes before what says neither yes nor no, the newest round before older ones, and within a round what
denies before what affirms: as the verdict calculus weighs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection

from audit.models import Audit
from audit.observations import MEANING, EvidenceKind, Polarity


class Statement(NamedTuple):
    """A part of a statement, with what goes into its places."""

    text: str
    parameters: list[str | int]


def newest(
    column: str, kinds: Sequence[EvidenceKind], chain: Sequence[Audit], *, deciding: Sequence[EvidenceKind] = ()
) -> Statement:
    """A column of the newest evidence of these kinds about the row `examined` of `audit_instanceaudit`.

    `deciding`: kinds of which any goes before the others, however old.
    """
    denying = [kind for kind in kinds if MEANING[kind][1] is Polarity.NEGATIVE]
    order, parameters = "evidence.round DESC", list[str | int]()
    if deciding:
        order, parameters = f"CASE WHEN evidence.kind IN ({places(deciding)}) THEN 0 ELSE 1 END, {order}", [*deciding]
    if denying:
        order += f", CASE WHEN evidence.kind IN ({places(denying)}) THEN 0 ELSE 1 END"
    source, of_chain = _rows(chain)
    text = f"""(
        SELECT evidence.{column} FROM {source} AND evidence.kind IN ({places(kinds)})
        ORDER BY {order}, evidence.id DESC LIMIT 1
    )"""  # noqa: S608  only placeholders are put in
    return Statement(text, [*of_chain, *kinds, *parameters, *denying])


def _rows(chain: Sequence[Audit]) -> tuple[str, list[int]]:
    """The same instance has a row in each audit of a chain."""
    if len(chain) == 1:
        return "audit_evidence evidence WHERE evidence.instance_id = examined.id", []
    source = (
        "audit_instanceaudit instance JOIN audit_evidence evidence ON evidence.instance_id = instance.id "
        f"WHERE instance.sop_instance_uid = examined.sop_instance_uid AND instance.audit_id IN ({places(chain)})"
    )
    return source, [each.pk for each in chain]


def places(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))


def text_of(column: str, member: str) -> str:
    """A member of a JSON column as text."""
    if connection.vendor == "postgresql":
        return f"{column} ->> '{member}'"
    return f"json_extract({column}, '$.{member}')"
