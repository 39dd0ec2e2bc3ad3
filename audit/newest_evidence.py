"""Which piece of an instance's evidence speaks for it now, as part of an SQL statement.

What decides goes before what says neither yes nor no, the newest round before older ones, and within a round what
denies before what affirms: as the verdict calculus weighs it. All of it is put into one number an instance, so that
the evidence of a study is gone through once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

from audit.models import Audit
from audit.observations import MEANING, EvidenceKind, Polarity

_ID_BITS, _ROUND_BITS = 40, 20
_DENIES, _ROUND = 1 << _ID_BITS, 1 << (_ID_BITS + 1)
_DECIDES = _ROUND << _ROUND_BITS
"""A row's number is below 2^62: whether it decides, its round, whether it denies, and its id."""


class Statement(NamedTuple):
    """A part of a statement, with what goes into its places."""

    text: str
    parameters: list[str | int]


@dataclass(frozen=True, slots=True)
class Pick:
    """Of which kinds the newest evidence is looked for."""

    kinds: Sequence[EvidenceKind]
    deciding: Sequence[EvidenceKind] = ()
    """Kinds of which any goes before the others, however old."""


def instances_with(picks: Mapping[str, Pick], audit: Audit, condition: str = "") -> Statement:
    """A table `examined` of an audit's instances that have such evidence: a column a pick, from which `id_of` takes it.

    The evidence is that of the whole chain. `condition` is one more about the instances.
    """
    packed = {name: _packed(pick) for name, pick in picks.items()}
    columns = ", ".join(f"MAX({each.text}) AS {name}" for name, each in packed.items())
    kinds = sorted({kind for pick in picks.values() for kind in pick.kinds})
    source, of_chain = _evidence(audit.chain())
    text = f"""(
        SELECT instance.id, instance.position, instance.verdict, instance.ground, instance.sop_class_uid, {columns}
        FROM audit_instanceaudit instance {source}
        WHERE instance.audit_id = %s AND evidence.kind IN ({places(kinds)}) {condition}
        GROUP BY instance.id
    ) examined"""  # noqa: S608  only placeholders are put in
    of_columns = [each for column in packed.values() for each in column.parameters]
    return Statement(text, [*of_columns, *of_chain, audit.pk, *kinds])


def id_of(name: str) -> str:
    """The id of the evidence that a column of `instances_with` holds."""
    return f"examined.{name} %% {_DENIES}"


def _packed(pick: Pick) -> Statement:
    denying = [kind for kind in pick.kinds if MEANING[kind][1] is Polarity.NEGATIVE]
    terms, parameters = [f"evidence.round * {_ROUND} + evidence.id"], list[str | int]()
    for kinds, weight in ((pick.deciding, _DECIDES), (denying, _DENIES)):
        if kinds:
            terms.append(f"CASE WHEN evidence.kind IN ({places(kinds)}) THEN {weight} ELSE 0 END")
            parameters += kinds
    text = f"CASE WHEN evidence.kind IN ({places(pick.kinds)}) THEN {' + '.join(terms)} END"
    return Statement(text, [*pick.kinds, *parameters])


def _evidence(chain: Sequence[Audit]) -> tuple[str, list[int]]:
    """The same instance has a row in each audit of a chain."""
    if len(chain) == 1:
        return "JOIN audit_evidence evidence ON evidence.instance_id = instance.id", []
    source = (
        "JOIN audit_instanceaudit alike ON alike.sop_instance_uid = instance.sop_instance_uid "
        f"AND alike.audit_id IN ({places(chain)}) JOIN audit_evidence evidence ON evidence.instance_id = alike.id"
    )
    return source, [each.pk for each in chain]


def places(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))


def text_of(column: str, member: str) -> str:
    """A member of a JSON column as text."""
    if connection.vendor == "postgresql":
        return f"{column} ->> '{member}'"
    return f"json_extract({column}, '$.{member}')"
