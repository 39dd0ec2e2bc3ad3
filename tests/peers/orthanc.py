"""Debian's Orthanc as a peer, on loopback, with a storage of its own."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.peers.process import HOST, Process, free_port
from tests.peers.programs import plugin, program

DROP_ONE_IN_FIVE = """
function ReceivedInstanceFilter(dicom, origin)
  return tonumber(dicom['InstanceNumber']) % 5 ~= 0
end
"""
"""Answers success and stores nothing where the InstanceNumber is a multiple of five."""

DROP_ONE_IN_FIVE_OF_FILTERED = """
function ReceivedInstanceFilter(dicom, origin)
  return dicom['PatientID'] ~= 'FILTERED' or tonumber(dicom['InstanceNumber']) % 5 ~= 0
end
"""
"""The same, of one patient alone."""

Modality = tuple[str, str, int]
"""AE title, host, port."""


class Orthanc:
    """Any AE may echo, store, find, get and move; every SOP class and transfer syntax is taken.

    `lua` is a script that it runs; `dicom_web` loads its DICOMweb plug-in; with `users` (their passwords by name) it
    asks who is there; `settings` go over those below, `environment` over the test's own. It speaks no HTTPS: Debian's
    1.10.1 crashes on the first such connection.
    """

    host = HOST

    def __init__(
        self,
        folder: Path,
        *,
        ae_title: str = "ORTHANC",
        modalities: Mapping[str, Modality] | None = None,
        lua: str = "",
        dicom_web: bool = False,
        users: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.ae_title = ae_title
        self.port = free_port()
        self.http_port = free_port()
        self._modalities = dict(modalities or {})
        self._lua = lua
        self._dicom_web = dicom_web
        self._users = dict(users or {})
        self._settings = dict(settings or {})
        self._environment = dict(environment or {})
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()  # a stop takes two seconds, and nothing of it is needed any more

    def start(self) -> None:
        """Start it, or start it again with what it has stored."""
        executable = program("Orthanc", package="orthanc", folders=("/usr/sbin",))
        configuration = self._write_configuration()
        self._process = Process([executable, configuration], log=self.log, environment=self._environment)
        self._process.wait_until_ready(self._answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None, "it was never started"
        self._process.kill()

    @property
    def log(self) -> Path:
        return self.folder / "orthanc.log"

    @property
    def url(self) -> str:
        """Of its REST API."""
        return f"http://{HOST}:{self.http_port}"

    @property
    def dicom_web_url(self) -> str:
        return f"{self.url}/dicom-web"

    def rest(self, path: str, *, body: Any = None, method: str | None = None) -> Any:
        """The answer of its REST API as JSON: GET, or with a body POST, unless said otherwise."""
        request = urllib.request.Request(  # noqa: S310 its own address
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers=self._authorization(),
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            content = response.read()
        return json.loads(content) if content else None

    def instances(self) -> set[str]:
        """The SOP Instance UIDs of all that it has stored."""
        found = self.rest("/tools/find", body={"Level": "Instance", "Query": {}, "Expand": True})
        return {instance["MainDicomTags"]["SOPInstanceUID"] for instance in found}

    def add_modality(self, name: str, modality: Modality) -> None:
        """Until it ends."""
        ae_title, host, port = modality
        self.rest(f"/modalities/{name}", body={"AET": ae_title, "Host": host, "Port": port}, method="PUT")

    def add_peer(self, name: str, url: str, **more: Any) -> None:
        """Until it ends; `more` as OrthancPeers has it."""
        self.rest(f"/peers/{name}", body={"Url": url, **more}, method="PUT")

    def add_server(self, name: str, url: str, **more: Any) -> None:
        """A DICOMweb server, until it ends; `more` as the plug-in has it."""
        self.rest(f"/dicom-web/servers/{name}", body={"Url": url, **more}, method="PUT")

    @property
    def as_modality(self) -> Modality:
        return self.ae_title, HOST, self.port

    def delete_everything(self) -> None:
        for patient in self.rest("/patients"):
            self.rest(f"/patients/{patient}", method="DELETE")

    def _authorization(self) -> dict[str, str]:
        for name, password in self._users.items():
            return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}
        return {}

    def _answers(self) -> bool:
        try:
            self.rest("/system")
        except (urllib.error.URLError, OSError):
            return False
        return True

    def _write_configuration(self) -> Path:
        storage = self.folder / "storage"
        storage.mkdir(parents=True, exist_ok=True)
        lua_scripts = []
        if self._lua:
            script = self.folder / "script.lua"
            script.write_text(self._lua)
            lua_scripts = [str(script)]
        settings = self._configuration(storage, lua_scripts) | self._web_settings() | self._settings
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(settings))
        return path

    def _web_settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        if self._dicom_web:
            settings["Plugins"] = [plugin("libOrthancDicomWeb.so", package="orthanc-dicomweb")]
            settings["DicomWeb"] = {"Enable": True, "Root": "/dicom-web/"}
        if self._users:
            settings["AuthenticationEnabled"] = True
            settings["RegisteredUsers"] = self._users
        return settings

    def _configuration(self, storage: Path, lua_scripts: list[str]) -> dict[str, Any]:
        return {
            "Name": self.ae_title,
            "StorageDirectory": str(storage),
            "IndexDirectory": str(storage),
            "LuaScripts": lua_scripts,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAet": self.ae_title,
            "DicomPort": self.port,
            "DicomCheckCalledAet": False,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "UnknownSopClassAccepted": True,
            "DicomModalities": self._modalities,
            "OverwriteInstances": False,
            "StableAge": 3,
            "JobsHistorySize": 100,
        }
