"""What a DICOMweb service and an Orthanc answer when asked for lists, for the scripted HTTP service; with quirks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha1
from itertools import count
from typing import Any

from audit.entries import ManifestEntry
from tests.fakes.web import Answer, Asked, Reply

Quirk = Callable[[Asked, list[Any]], list[Any]]
"""Changes the rows of an answer before it is cut into pages."""


def as_asked(asked: Asked, rows: list[Any]) -> list[Any]:
    return rows


def qido(
    held: Iterable[ManifestEntry],
    *,
    largest_page: int = 10_000,
    quirk: Quirk = as_asked,
    ignores_offset: bool = False,
    empty_status: int = 204,
) -> Answer:
    """A DICOMweb service that holds these instances."""
    held = list(held)

    def answer(asked: Asked) -> Reply:
        folders = asked.path.strip("/").split("/")
        wanted = dict(zip(folders[0::2], folders[1::2], strict=False))
        rows = _series_rows(held, wanted) if folders[-1] == "series" else _instance_rows(held, wanted, asked)
        rows = quirk(asked, rows)
        offset = 0 if ignores_offset else int(asked.query.get("offset", 0))
        page = rows[offset : offset + min(largest_page, int(asked.query.get("limit", largest_page)))]
        if not page:
            return Reply(empty_status, b"" if empty_status == 204 else b"[]")
        return Reply(body=json.dumps(page).encode())

    return answer


def _instance_rows(held: Sequence[ManifestEntry], wanted: dict[str, str], asked: Asked) -> list[Any]:
    study = wanted.get("studies", asked.query.get("StudyInstanceUID"))
    series = wanted.get("series", asked.query.get("SeriesInstanceUID"))
    instance = asked.query.get("SOPInstanceUID")
    return [
        row_of(entry)
        for entry in held
        if study in (None, entry.study_instance_uid)
        and series in (None, entry.series_instance_uid)
        and instance in (None, entry.sop_instance_uid)
    ]


def _series_rows(held: Sequence[ManifestEntry], wanted: dict[str, str]) -> list[Any]:
    found: dict[str, int] = {}
    for entry in held:
        if entry.study_instance_uid == wanted["studies"]:
            found[entry.series_instance_uid] = found.get(entry.series_instance_uid, 0) + 1
    return [
        {
            "0020000D": element(wanted["studies"]),
            "0020000E": element(series),
            "00201209": {"vr": "IS", "Value": [number]},
        }
        for series, number in found.items()
    ]


def row_of(entry: ManifestEntry) -> dict[str, Any]:
    return {
        "00080016": element(entry.sop_class_uid),
        "00080018": element(entry.sop_instance_uid),
        "0020000D": element(entry.study_instance_uid),
        "0020000E": element(entry.series_instance_uid),
    }


def element(uid: str) -> dict[str, Any]:
    return {"vr": "UI", "Value": [uid]}


def orthanc(held: Iterable[ManifestEntry], *, quirk: Quirk = as_asked) -> Answer:
    """An Orthanc that holds these instances; the quirk is given what a series' list of instances is made of."""
    instances = {_orthanc_id("instance", each.sop_instance_uid): each for each in held}
    series = {_orthanc_id("series", each.series_instance_uid): each for each in instances.values()}
    studies = {_orthanc_id("study", each.study_instance_uid): each for each in instances.values()}

    def of_tools(asked: Asked) -> Any:
        if asked.path == "/tools/find":
            return _found(json.loads(asked.body), instances, series)
        uid = asked.body.decode()
        return [{"ID": key, "Type": "Instance"} for key, each in instances.items() if each.sop_instance_uid == uid]

    def of_resources(asked: Asked) -> Any:
        match asked.path.strip("/").split("/"):
            case ["series", key, "instances"] if key in series:
                uid = series[key].series_instance_uid
                rows = [_instance(each, entry) for each, entry in instances.items() if entry.series_instance_uid == uid]
                return quirk(asked, rows)
            case ["instances", key] if key in instances:
                return _instance(key, instances[key])
            case ["series", key] if key in series:
                return _series(key, series[key], instances)
            case ["studies", key] if key in studies:
                return {"ID": key, "MainDicomTags": {"StudyInstanceUID": studies[key].study_instance_uid}}
        return None

    def answer(asked: Asked) -> Reply:
        if asked.path == "/system":
            return _json({"Version": "1.10.1", "ApiVersion": 16})
        value = of_tools(asked) if asked.path.startswith("/tools/") else of_resources(asked)
        return Reply(404, b"{}", "application/json") if value is None else _json(value)

    return answer


def _json(value: Any) -> Reply:
    return Reply(body=json.dumps(value).encode(), content_type="application/json")


def _found(question: Any, instances: dict[str, ManifestEntry], series: dict[str, ManifestEntry]) -> list[Any]:
    query = question["Query"]
    if question["Level"] == "Instance":
        wanted = query["SOPInstanceUID"].split("\\")
        return [key for key, entry in instances.items() if entry.sop_instance_uid in wanted]
    return [
        _series(key, entry, instances)
        for key, entry in series.items()
        if entry.study_instance_uid == query["StudyInstanceUID"]
        and query.get("SeriesInstanceUID") in (None, entry.series_instance_uid)
    ]


def _instance(key: str, entry: ManifestEntry) -> dict[str, Any]:
    return {
        "ID": key,
        "MainDicomTags": {"SOPInstanceUID": entry.sop_instance_uid},
        "ParentSeries": _orthanc_id("series", entry.series_instance_uid),
        "Type": "Instance",
    }


def _series(key: str, entry: ManifestEntry, instances: dict[str, ManifestEntry]) -> dict[str, Any]:
    uid = entry.series_instance_uid
    return {
        "ID": key,
        "Instances": [each for each, other in instances.items() if other.series_instance_uid == uid],
        "MainDicomTags": {"SeriesInstanceUID": uid},
        "ParentStudy": _orthanc_id("study", entry.study_instance_uid),
        "Type": "Series",
    }


def _orthanc_id(*parts: str) -> str:
    digest = sha1("|".join(parts).encode()).hexdigest()  # noqa: S324 as Orthanc does
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


def at_first(replies: Sequence[Reply], then: Answer) -> Answer:
    """These replies to the first requests, and then what is right."""
    numbers = count()

    def answer(asked: Asked) -> Reply:
        number = next(numbers)
        return replies[number] if number < len(replies) else then(asked)

    return answer


def always(reply: Reply) -> Answer:
    return lambda _: reply
