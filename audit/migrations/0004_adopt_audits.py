"""Gives the audits that are older than the hash chain their first link: from here on nothing of them changes unseen."""

from django.apps.registry import Apps as StateApps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from audit.chain import adopt


def adopt_audits(apps: StateApps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The older first, which others continue."""
    for audit in apps.get_model("audit", "Audit").objects.filter(links__isnull=True).order_by("pk").iterator(500):
        adopt(audit)


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_chain")]

    operations = [migrations.RunPython(adopt_audits, migrations.RunPython.noop)]
