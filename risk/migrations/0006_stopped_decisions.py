"""What a policy stopped is counted again and again while it is rolled out."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Every payment writes to this table: it must not wait for the index.
    atomic = False

    dependencies = [("risk", "0005_policies")]

    operations = [
        AddIndexConcurrently(
            model_name="decision",
            index=models.Index(
                condition=~models.Q(action="accept"), fields=["policy", "id"], name="risk_decision_stopped"
            ),
        ),
    ]
