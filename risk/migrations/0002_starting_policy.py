from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from risk import starting


def add(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("risk", "Policy").objects.create(
        name=starting.NAME,
        version=starting.VERSION,
        rules=starting.RULES,
        thresholds=starting.THRESHOLDS,
        limits=starting.LIMITS,
        rates=starting.RATES,
        note="Ships with the program; the reasons are in docs/decisions/risk-starting-policy.md.",
        state="ACTIVE",
        created_by="system",
    )


class Migration(migrations.Migration):
    dependencies = [("risk", "0001_initial")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
