from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0008_corrections")]

    operations = [
        migrations.AddIndex(
            model_name="openitem",
            index=models.Index(
                condition=models.Q(("how", "booked")),
                fields=["cleared_at"],
                name="reconciliation_item_booked",
            ),
        ),
    ]
