"""Aliases of a source Orthanc, matched to destinations by address."""

from __future__ import annotations

import pytest

from transfers.aliases import Alias, AliasKind, matching, seen_from_here
from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, OrthancEndpoint


def modality(host: str = "pacs.example", port: int = 104, title: str = "PACS") -> Alias:
    return Alias(AliasKind.MODALITY, "M", host, port, title)


def dicom(host: str = "pacs.example", port: int = 104, title: str = "PACS") -> DicomEndpoint:
    return DicomEndpoint(host, port, title, "TALLYMAN")


@pytest.mark.parametrize(
    ("alias", "destination"),
    [
        (modality(), dicom()),
        (modality("PACS.example."), dicom()),
        (modality("localhost"), dicom("127.0.0.1")),
        (modality("::1"), dicom("[::1]")),
        (modality("2001:db8:0::1"), dicom("2001:DB8::1")),
        (modality(title="PACS "), dicom()),
        (Alias(AliasKind.PEER, "P", url="http://A.example/"), OrthancEndpoint("http://a.example:80")),
        (Alias(AliasKind.PEER, "P", url="https://a.example//orthanc/"), OrthancEndpoint("https://a.example/orthanc")),
        (Alias(AliasKind.PEER, "P", url="http://a.example/a%62%c3%a9"), OrthancEndpoint("http://a.example/ab%C3%A9")),
        (Alias(AliasKind.PEER, "P", url="http://user:word@a.example/"), OrthancEndpoint("http://a.example")),
        (Alias(AliasKind.ACCELERATED_PEER, "P", url="http://a.example/"), OrthancEndpoint("http://a.example")),
        (
            Alias(AliasKind.SERVER, "S", url="http://a.example/dicom-web/"),
            DicomWebEndpoint("http://a.example/dicom-web"),
        ),
    ],
)
def test_an_alias_leads_to_the_destination_however_its_address_is_spelled(alias: Alias, destination: Endpoint) -> None:
    assert matching([alias], destination) == (alias,)


@pytest.mark.parametrize(
    ("alias", "destination"),
    [
        (modality(port=105), dicom()),
        (modality(title="OTHER"), dicom()),
        (modality(title="pacs"), dicom()),
        (modality("other.example"), dicom()),
        (modality(), OrthancEndpoint("http://pacs.example:104")),
        (Alias(AliasKind.PEER, "P", url="http://a.example/"), DicomWebEndpoint("http://a.example")),
        (Alias(AliasKind.PEER, "P", url="http://a.example/"), OrthancEndpoint("https://a.example")),
        (Alias(AliasKind.PEER, "P", url="http://a.example/other"), OrthancEndpoint("http://a.example")),
        (Alias(AliasKind.PEER, "P", url="http://a.example/a%2Fb"), OrthancEndpoint("http://a.example/a/b")),
        (Alias(AliasKind.PEER, "P", url="http://a.example/A"), OrthancEndpoint("http://a.example/a")),
        (Alias(AliasKind.PEER, "P", url="http://a.example:none/"), OrthancEndpoint("http://a.example:none")),
        (Alias(AliasKind.PEER, "P", url="nonsense"), OrthancEndpoint("nonsense")),
        (Alias(AliasKind.SERVER, "S", url="http://a.example/"), OrthancEndpoint("http://a.example")),
    ],
)
def test_an_alias_that_leads_elsewhere_does_not_match(alias: Alias, destination: Endpoint) -> None:
    assert matching([alias], destination) == ()


def test_what_is_local_to_the_source_is_at_the_host_of_the_source() -> None:
    source = OrthancEndpoint("http://source.example:8042")

    assert seen_from_here(modality("127.0.0.1"), source).host == "source.example"
    peer = seen_from_here(Alias(AliasKind.PEER, "P", url="http://localhost:8043/"), source)
    assert matching([peer], OrthancEndpoint("http://source.example:8043")) == (peer,)
    assert matching([peer], OrthancEndpoint("http://localhost:8043")) == ()


def test_a_source_on_this_machine_sees_what_we_see() -> None:
    here = OrthancEndpoint("http://127.0.0.1:8042")
    peer = Alias(AliasKind.PEER, "P", url="http://localhost:8043/")

    assert seen_from_here(peer, here) == peer
    assert seen_from_here(modality("localhost"), here).leads_to == "PACS at 127.0.0.1:104"


def test_no_user_name_or_password_of_a_url_is_shown() -> None:
    peer = Alias(AliasKind.PEER, "P", url="http://user:word@a.example/orthanc/")

    assert peer.leads_to == "http://a.example/orthanc"
    assert Alias(AliasKind.PEER, "P", url="word").leads_to == "no usable URL"


def test_where_an_alias_leads_is_told_in_text_that_can_be_kept_and_shown() -> None:
    assert Alias(AliasKind.PEER, "P", url="http://a.example/x%00y%0Az/").leads_to == "http://a.example/x%00y%0Az"
