"""What lists show of the transfers that are there already, from their audits."""

from django.apps.registry import Apps as StateApps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Count, F, OuterRef, Subquery, Sum


def describe(apps: StateApps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    transfer = apps.get_model("transfers", "Transfer")
    instance = apps.get_model("audit", "InstanceAudit")
    audit = apps.get_model("audit", "Audit")
    rows = instance.objects.filter(audit=OuterRef("audit_id")).order_by().values("audit")
    transfer.objects.update(
        verdict=Subquery(audit.objects.filter(pk=OuterRef("audit_id")).values("verdict")[:1]),
        instances=Subquery(rows.annotate(found=Count("id")).values("found")[:1]),
        size_bytes=Subquery(rows.annotate(found=Sum("data_set_size")).values("found")[:1]),
        series=Subquery(rows.annotate(found=Count("series_instance_uid", distinct=True)).values("found")[:1]),
        revision=F("revision") + 1,
    )


class Migration(migrations.Migration):
    dependencies = [("transfers", "0002_batches"), ("audit", "0002_revision_and_tally")]

    operations = [migrations.RunPython(describe, migrations.RunPython.noop)]
