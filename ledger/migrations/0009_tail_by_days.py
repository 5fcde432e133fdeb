"""What came after a snapshot is found by the index of days, so that entries need no index of their own for it.

Snapshots from before know no day: their tail is looked for in all days until the next one is taken.
"""

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # an index is dropped while others write

    dependencies = [("ledger", "0008_copied_postings")]

    operations = [
        migrations.AddField("balancesnapshot", "last_closed_on", models.DateField(null=True)),
        RemoveIndexConcurrently("entry", "ledger_entry_tail"),
    ]
