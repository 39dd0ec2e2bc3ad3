"""The audit: what can be proved. Imports nothing of what is audited."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_migrate

from audit.guards import GUARDS, check_guards, create_guards


class AuditConfig(AppConfig):
    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"
    guards = GUARDS

    def ready(self) -> None:
        post_migrate.connect(create_guards, sender=self)
        checks.register(check_guards, checks.Tags.database)
