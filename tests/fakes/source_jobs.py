"""A source Orthanc whose jobs end, or do not end, as no real one can be made to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.web import Asked, Reply

JOB_ID = "f99d149f-d1ad-4c47-a4b8-000000000001"
LOST = Reply(is_dropped=True)

_LISTS = {
    "system": {"Version": "1.12.4"},
    "modalities": {"DEST": {"AET": "ARCHIVE", "Host": "archive.example", "Port": 104}},
}


def as_json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), "application/json")


def job(state: str, *, of: int = 3, kind: str = "OrthancPeerStore", **more: Any) -> dict[str, Any]:
    content = {"InstancesCount": of, "FailedInstancesCount": 0, **more.pop("content", {})}
    return {"ID": JOB_ID, "State": state, "Progress": 100, "ErrorCode": 0, "Type": kind, "Content": content, **more}


def failed(**more: Any) -> dict[str, Any]:
    return job("Failure", ErrorCode=9, ErrorDescription="Error in the network protocol", **more)


@dataclass
class Source:
    """A source Orthanc with two aliases, whose jobs look as they are told to, one look after another."""

    looks: list[Any] = field(default_factory=list)
    """Replies to the looks at a job, or its documents; the last is repeated."""
    posted: Reply = field(default_factory=lambda: as_json({"ID": JOB_ID, "Path": f"/jobs/{JOB_ID}"}))
    other: Mapping[str, Callable[[Asked], Reply]] = field(default_factory=dict)
    """What is answered to other paths."""
    peer_url: str = "http://destination.example:8042"
    """Where its peer DEST leads."""
    posts: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Reply:
        self.paths.append(f"{asked.method} {asked.path}")
        if asked.path in self.other:
            return self.other[asked.path](asked)
        match asked.path.strip("/").split("/"):
            case [name] if name in _LISTS:
                return as_json(_LISTS[name])
            case ["peers"]:
                return as_json({"DEST": {"Url": f"{self.peer_url}/"}})
            case ["instances", source_id]:
                return as_json({"ID": source_id, "FileSize": 100})
            case [_, "DEST", "store"]:
                self.posts.append(json.loads(asked.body))
                return self.posted
            case ["jobs", _]:
                look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
                return look if isinstance(look, Reply) else as_json(look)
            case ["jobs", _, "cancel"]:
                return as_json({})
        return as_json({}, 404)
