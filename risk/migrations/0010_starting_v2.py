"""The starting model, and the policy that uses it: active in a new house, a draft where somebody has been paid."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from risk import artefacts
from risk import starting_model
from risk import starting_v2

_NOTE = "Ships with the program; the reasons are in docs/decisions/risk-starting-policy.md."


def install_model(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    models = apps.get_model("risk", "RiskModel").objects
    if models.filter(name=starting_model.NAME).exists():
        return
    lesson = starting_model.read()
    sealed = artefacts.seal(lesson.text, lesson.names)
    models.create(
        name=starting_model.NAME,
        version=starting_model.VERSION,
        state="CHAMPION",
        text=sealed.text,
        schema=sealed.schema,
        digest=sealed.digest,
        key=sealed.key,
        signature=sealed.signature,
        card=lesson.card,
        created_by="system",
    )


def add_policy(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    policies = apps.get_model("risk", "Policy").objects
    new = not apps.get_model("risk", "Decision").objects.exists() and policies.count() == 1
    if new:
        policies.filter(state="ACTIVE").update(state="RETIRED")
    last = policies.filter(name=starting_v2.NAME).order_by("-version").values_list("version", flat=True).first()
    policies.create(
        name=starting_v2.NAME,
        version=max(starting_v2.VERSION, (last or 0) + 1),
        rules=starting_v2.RULES,
        thresholds=starting_v2.THRESHOLDS,
        limits=starting_v2.LIMITS,
        rates=starting_v2.RATES,
        model=starting_v2.MODEL,
        note=_NOTE,
        state="ACTIVE" if new else "DRAFT",
        created_by="system",
    )


class Migration(migrations.Migration):
    dependencies = [("risk", "0009_devices")]

    operations = [
        migrations.RunPython(install_model, migrations.RunPython.noop),
        migrations.RunPython(add_policy, migrations.RunPython.noop),
    ]
