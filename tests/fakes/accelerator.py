"""An Orthanc with the transfers accelerator: a server of ours that speaks its protocol, in front of a real Orthanc.

The plug-in is in no package registry. This receives as the plug-in does (`accelerator_receiving`), storing through the
REST API of the Orthanc behind, and sends as it does (`accelerator_sending`); all else is passed on, so that a
destination, or a source, of kind `orthanc` has this URL. What it is to do wrong is in its `script`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType

from tests.fakes.accelerator_errors import Refused
from tests.fakes.accelerator_receiving import Receiving
from tests.fakes.accelerator_script import Script, Step
from tests.fakes.accelerator_sending import AcceleratorPeer, Sending
from tests.fakes.gateway import Answered, Call, Gateway, OrthancIsDown
from tests.peers.orthanc import Orthanc

BUCKET_BYTES = 4096 * 1024


class Accelerator(Gateway):
    """A context manager. Where the Orthanc behind dies, or was started again, its transactions are lost with it."""

    def __init__(
        self,
        orthanc: Orthanc,
        *,
        peers: Mapping[str, AcceleratorPeer] | None = None,
        script: Script | None = None,
        most_transactions: int = 4,
        commit_threads: int = 1,
        bucket_bytes: int = BUCKET_BYTES,
        jobs_history: int = 10,
    ) -> None:
        """`peers`: as OrthancPeers has them, by name; they may be added to later.

        More than one of `commit_threads` counts where the script goes on past failures, as the plug-in does since 1.7.
        """
        super().__init__(orthanc)
        self.script = script or Script()
        self.peers = dict(peers or {})
        self.received: list[str] = []
        """`METHOD path` of every request of the push protocol, in the order in which they came."""
        self.receiving = Receiving(self.behind, self.script, most_transactions, commit_threads, self.ended)
        self.sending = Sending(self.behind, self.script, self.peers, self.receiving, bucket_bytes, jobs_history)

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        super().__exit__(kind, error, traceback)
        self.sending.close()
        self.receiving.close()

    @property
    def open_transactions(self) -> list[str]:
        """Their IDs, the least recently used first."""
        return self.receiving.open_transactions

    def restart(self) -> None:
        """All transactions are lost."""
        self.receiving.lose_everything()

    def evict(self) -> None:
        """Drop the least recently used transaction, as one that somebody else creates does."""
        self.receiving.evict()

    def answer(self, call: Call) -> Answered | None:
        try:
            if self.behind.was_restarted():
                self.receiving.lose_everything()
            return self._answer(call)
        except Refused as refused:
            return refused.answer_to(call)
        except OrthancIsDown:
            self.receiving.lose_everything()
            raise

    def _answer(self, call: Call) -> Answered | None:
        segments = call.path.strip("/").split("/")
        if segments == ["plugins"] and call.method == "GET":
            return self._plugins(call)
        if segments[0] not in {"transfers", "jobs"}:
            return None
        if self.orthanc._users and not self.behind.knows(call):
            return Answered(401, headers={"WWW-Authenticate": 'Basic realm="Orthanc Secure Area"'})
        if segments[:2] == ["transfers", "push"]:
            self.received.append(f"{call.method} {call.path}")
            return self.receiving.answer(call)
        return self.sending.answer(call)

    def _plugins(self, call: Call) -> Answered:
        self.script.begin(Step.PLUGINS)
        answered = self.behind.pass_on(call)
        if answered.status != 200:
            return answered
        return Answered.of([*json.loads(answered.body), "transfers"])
