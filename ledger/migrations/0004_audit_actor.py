"""What somebody did is found without reading the whole journal."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Every change of a state writes to this table: it must not wait for the index.
    atomic = False

    dependencies = [("ledger", "0003_bell_and_audit")]

    operations = [
        AddIndexConcurrently(
            model_name="auditentry",
            index=models.Index(fields=["actor", "id"], name="ledger_audit_actor"),
        ),
    ]
