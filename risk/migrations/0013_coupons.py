"""Who took a newcomers' coupon, and the policy that looks: active in a new house, a draft where somebody has been paid."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from risk import starting_v3

_NOTE = "Ships with the program; the reasons are in docs/decisions/risk-starting-policy.md."
_SHIPPED = 2  # policies that came before this one


def add_policy(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    policies = apps.get_model("risk", "Policy").objects
    new = not apps.get_model("risk", "Decision").objects.exists() and policies.count() == _SHIPPED
    if new:
        policies.filter(state="ACTIVE").update(state="RETIRED")
    last = policies.filter(name=starting_v3.NAME).order_by("-version").values_list("version", flat=True).first()
    policies.create(
        name=starting_v3.NAME,
        version=max(starting_v3.VERSION, (last or 0) + 1),
        rules=starting_v3.RULES,
        thresholds=starting_v3.THRESHOLDS,
        limits=starting_v3.LIMITS,
        rates=starting_v3.RATES,
        model=starting_v3.MODEL,
        note=_NOTE,
        state="ACTIVE" if new else "DRAFT",
        created_by="system",
    )


class Migration(migrations.Migration):
    dependencies = [("risk", "0012_reviewers")]

    operations = [
        migrations.AddField(
            model_name="tie",
            name="coupon_at",
            field=models.DateTimeField(help_text="The customer, new here, paid with a coupon.", null=True),
        ),
        migrations.AddIndex(
            model_name="tie",
            index=models.Index(
                condition=models.Q(("coupon_at__isnull", False)),
                fields=["entity_key", "coupon_at"],
                name="risk_tie_coupon",
            ),
        ),
        migrations.RunPython(add_policy, migrations.RunPython.noop),
    ]
