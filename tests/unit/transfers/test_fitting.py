"""Which methods fit a source and a destination, and what each can reach there."""

from __future__ import annotations

from audit.judgements import Policy
from transfers.aliases import Alias, AliasKind
from transfers.endpoints import DicomEndpoint, DicomWebEndpoint
from transfers.fitting import Fit, Known, Way, commits_by_itself, fits_of
from transfers.methods import METHODS

ARCHIVE = DicomEndpoint("10.0.0.7", 104, "ARCHIVE", "TALLYMAN")
THERE = Alias(AliasKind.MODALITY, "north", "10.0.0.7", 104, "ARCHIVE")
ELSEWHERE = Alias(AliasKind.MODALITY, "south", "10.0.0.8", 104, "ARCHIVE")


def way(source: str, destination: str, **more: object) -> Way:
    return Way(source, destination, Policy(), "presence", **more)  # type: ignore[arg-type]


def by_key(fits: list[Fit]) -> dict[str, Fit]:
    return {fit.key: fit for fit in fits}


def test_files_go_by_what_sends_them_from_here() -> None:
    assert set(by_key(fits_of(way("files", "dicom")))) == {"c-store", "c-store-commitment"}
    assert set(by_key(fits_of(way("files", "dicomweb")))) == {"stow-rs"}
    assert set(by_key(fits_of(way("files", "orthanc")))) == {"orthanc-rest", "accelerator"}


def test_every_method_fits_some_way_from_a_source() -> None:
    found = {fit.key for kind in ("dicom", "dicomweb", "orthanc") for fit in fits_of(way("orthanc", kind))}

    assert found == set(METHODS)


def test_one_is_recommended_with_its_reason_and_comes_first() -> None:
    for source in ("files", "orthanc"):
        for kind in ("dicom", "dicomweb", "orthanc"):
            first, *others = fits_of(way(source, kind))
            assert first.recommended_because
            assert not any(each.recommended_because for each in others)

    assert fits_of(way("files", "dicom", offers_commitment=True))[0].key == "c-store-commitment"


def test_a_job_needs_an_alias_that_leads_to_the_destination() -> None:
    fit = by_key(fits_of(way("orthanc", "dicom"), Known(ARCHIVE, (THERE, ELSEWHERE))))["orthanc-modality-store"]
    assert (fit.aliases, fit.why_not) == ((THERE,), "")

    fit = by_key(fits_of(way("orthanc", "dicom"), Known(ARCHIVE, (ELSEWHERE,))))["orthanc-modality-store"]
    assert "No alias of the source leads to this destination" in fit.why_not

    fits = by_key(fits_of(way("orthanc", "dicom"), Known(ARCHIVE, (), "It did not answer.")))
    assert fits["orthanc-modality-store"].why_not.endswith("It did not answer.")
    assert fits["c-store"].why_not == ""


def test_an_alias_of_another_kind_does_not_serve() -> None:
    web = DicomWebEndpoint("http://10.0.0.7/dicom-web")
    peer = Alias(AliasKind.PEER, "north", url="http://10.0.0.7/dicom-web")

    assert by_key(fits_of(way("orthanc", "dicomweb"), Known(web, (peer,))))["orthanc-stow"].why_not


def test_the_source_s_own_commitment_is_told_of_besides() -> None:
    fits = by_key(fits_of(Way("orthanc", "dicom", Policy(), "none")))
    store = fits["orthanc-modality-store"]

    assert store.best.title == "unverifiable"
    assert store.with_commitment is not None
    assert store.with_commitment.title == "committed by “committed”"
    assert fits["c-store"].with_commitment is None
    assert fits["c-store-commitment"].best.title == "committed by “committed”"


def test_only_what_arrives_at_once_lets_stable_study_be_trusted() -> None:
    fits = by_key(fits_of(way("orthanc", "orthanc")))

    assert {key for key, fit in fits.items() if fit.may_trust_stable_study} == {"orthanc-transfers", "accelerator"}
    assert "only once the whole study is found to be committed" in fits["accelerator"].stable_study
    assert "may not trust" in fits["orthanc-rest"].stable_study


def test_whether_the_source_asks_for_commitment_is_an_option_of_its_job() -> None:
    assert commits_by_itself({"commitment": True})
    assert not commits_by_itself({"commitment": False})
    assert not commits_by_itself({})
