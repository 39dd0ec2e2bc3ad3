"""The transfers: what we do. What can be proved of it is the audit's."""

from __future__ import annotations

import pydicom.config
from django.apps import AppConfig
from django.db.models.signals import post_migrate

from audit.guards import append_only, create_guards
from transfers.groups import create_group


class TransfersConfig(AppConfig):
    name = "transfers"
    default_auto_field = "django.db.models.BigAutoField"
    guards = append_only("transfers_transferevent", "a transfer event")

    def ready(self) -> None:
        # Values that break the rules of their VR are passed on as they are; pydicom's warnings would quote them.
        pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
        pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
        post_migrate.connect(create_guards, sender=self)
        post_migrate.connect(create_group, sender=self)
