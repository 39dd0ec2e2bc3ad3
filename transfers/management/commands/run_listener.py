"""`manage.py run_listener`: the DICOM listener in a process of its own, beside those with pages and workers."""

from __future__ import annotations

from threading import Event
from typing import Any

from transfers.errors import ListenerNotStarted
from transfers.listener import describe, make_listener
from transfers.management.base import TallymanCommand, stop_on_signal, wrong_usage

LOOK_SECONDS = 0.2


class Command(TallymanCommand):
    """Runs until it is told to stop by SIGTERM or Ctrl-C."""

    help = "Take what archives report on storage commitment, on DICOM_PORT; answers C-ECHO too."

    def run(self, **_options: Any) -> None:
        stop = Event()
        listener = make_listener()
        with stop_on_signal(stop):
            try:
                listener.start()
            except ListenerNotStarted as error:
                raise wrong_usage(str(error)) from error
            self.stdout.write(describe(listener))
            self.stdout.flush()
            while not stop.wait(LOOK_SECONDS):  # a signal that another thread takes does not wake this one
                pass
            listener.stop()
