"""Let what is found of an instance be written without any index: none has such a column, and there is room beside.

Every instance is written when its audit opens, and changed when it was sent and when it is judged. PostgreSQL writes a
new version of a row that is changed; where that fits onto the page of the old one, and no column of an index changed,
no index is written, and the next change takes the room of the version before.
"""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

LEAVE_ROOM = "ALTER TABLE audit_instanceaudit SET (fillfactor = 45)"
"""Less than half is filled: with the digest of what was sent a row is a sixth longer."""


def leave_room(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(LEAVE_ROOM)


def fill_up(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE audit_instanceaudit RESET (fillfactor)")


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0007_sources"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="instanceaudit", name="instance_digest"),
        migrations.AddIndex(
            model_name="instanceaudit", index=models.Index(fields=["sop_instance_uid"], name="instance_uid")
        ),
        migrations.RunPython(leave_room, fill_up),
    ]
