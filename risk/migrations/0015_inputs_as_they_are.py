"""A decision's inputs are kept as they are: to make them a third smaller took as long as all else of storing them.

What is stored already stays as it is. Nothing is rewritten.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("risk", "0014_metrics_and_two_people")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE risk_decision ALTER COLUMN inputs SET STORAGE EXTERNAL",
            "ALTER TABLE risk_decision ALTER COLUMN inputs SET STORAGE EXTENDED",
        ),
    ]
