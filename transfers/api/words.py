"""The words that fields may have, each set with one name in the schema (ENUM_NAME_OVERRIDES in the settings)."""

from __future__ import annotations

from enum import StrEnum

from audit.entries import SkippedKind
from audit.judgements import PROOFS, Ground, InstanceVerdict, StudyVerdict, WasThereBefore
from audit.observations import EvidenceKind
from transfers.methods import METHODS
from transfers.methods.options import Takes
from transfers.models import kind_choices, source_kind_choices
from transfers.states import BatchState, Purpose, State
from transfers.verification import Level


def _values(words: type[StrEnum]) -> list[str]:
    return [word.value for word in words]


TRANSFER_STATES = _values(State)
PURPOSES = _values(Purpose)
BATCH_STATES = _values(BatchState)
INSTANCE_VERDICTS = _values(InstanceVerdict)
STUDY_VERDICTS = _values(StudyVerdict)
EVIDENCE_KINDS = _values(EvidenceKind)
SKIPPED_KINDS = _values(SkippedKind)
BEFORE = _values(WasThereBefore)
GROUNDS = _values(Ground)
PROOF_GROUNDS = [proof.value for proof in PROOFS]
DESTINATION_KINDS = [key for key, _ in kind_choices()]
SOURCE_KINDS = ["files", *(key for key, _ in source_kind_choices())]
LEVELS = _values(Level)
"""Of verification; a sample of the content is spelled besides."""
METHOD_KEYS = list(METHODS)
OPTION_VALUES = _values(Takes)
"""What an option of a method may be."""
