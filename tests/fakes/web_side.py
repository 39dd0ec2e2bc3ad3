"""The DICOMweb side of a scripted archive: what it holds, listed, handed over and deleted over HTTP (PS3.18)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.fakes.archive import Archive
from tests.fakes.holdings import Holding
from tests.fakes.script import Row
from tests.fakes.web import Answer, Asked, Reply
from tests.fakes.web_archives import element

Fault = Callable[[Asked], Reply | None]
"""What is answered in place of what is right; None: what is right."""

NOT_FOUND = Reply(404, b"{}", "application/json")


def no_fault(_: Asked) -> Reply | None:
    return None


def web_side(peer: Archive, fault: Fault = no_fault) -> Answer:
    """Searches, retrievals and deletions of instances; what the archive hides it hides here too."""

    def answer(asked: Asked) -> Reply:
        if (wrong := fault(asked)) is not None:
            return wrong
        folders = asked.path.strip("/").split("/")
        if folders[-1] in {"instances", "series"}:
            return _listed(peer.listed(), asked, folders)
        holding = peer.stored.get(folders[-1])
        if holding is None or holding.identity.get("SeriesInstanceUID") != folders[3]:
            return NOT_FOUND
        if asked.method == "DELETE":
            peer.stored.pop(folders[-1], None)
            return Reply(200, b"")
        return _part_10(holding)

    return answer


def _listed(rows: list[Row], asked: Asked, folders: list[str]) -> Reply:
    wanted = dict(zip(folders[0::2], folders[1::2], strict=False))
    keys = {
        "StudyInstanceUID": wanted.get("studies", asked.query.get("StudyInstanceUID")),
        "SeriesInstanceUID": wanted.get("series", asked.query.get("SeriesInstanceUID")),
        "SOPInstanceUID": asked.query.get("SOPInstanceUID"),
    }
    found = [row for row in rows if all(value in (None, row[key]) for key, value in keys.items())]
    listed = _series(found) if folders[-1] == "series" else list(map(_instance, found))
    page = listed[int(asked.query.get("offset", 0)) :]
    return Reply(body=json.dumps(page).encode()) if page else Reply(204, b"")


def _instance(row: Row) -> dict[str, Any]:
    return {
        "00080016": element(row["SOPClassUID"]),
        "00080018": element(row["SOPInstanceUID"]),
        "0020000D": element(row["StudyInstanceUID"]),
        "0020000E": element(row["SeriesInstanceUID"]),
    }


def _series(rows: list[Row]) -> list[dict[str, Any]]:
    uids = [row["SeriesInstanceUID"] for row in rows]
    return [
        {
            "0020000D": element(row["StudyInstanceUID"]),
            "0020000E": element(uid),
            "00201209": {"vr": "IS", "Value": [uids.count(uid)]},
        }
        for uid, row in {row["SeriesInstanceUID"]: row for row in rows}.items()
    ]


def _part_10(holding: Holding) -> Reply:
    return Reply(body=holding.part_10(), content_type="application/dicom")
