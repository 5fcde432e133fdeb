"""What `payments_movement` has of a day is found in one reading of it, and PostgreSQL knows how much that is.

Captures had no index of their own: for them every payment of the day was read a second time.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Coalesce

# Of an index over a part of the rows nothing is known about the moments in it.
MOMENT = """
CREATE STATISTICS IF NOT EXISTS payments_attempt_moment ON (coalesce(brought_at, answered_at, created_at)) FROM payments_attempt
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0013_refund_cause")]

    operations = [
        migrations.RunSQL(MOMENT, "DROP STATISTICS payments_attempt_moment"),
        AddIndexConcurrently(
            "attempt",
            models.Index(
                models.F("channel"),
                Coalesce("brought_at", "answered_at", "created_at"),
                condition=models.Q(("brought__gt", 0), ("kind", "CAPTURE")),
                name="attempt_captures",
            ),
        ),
    ]
