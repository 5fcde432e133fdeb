import django.db.models.functions.datetime
import django_fsm
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import ledger.identifiers


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Discrepancy",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ledger.identifiers.new_key, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("OPEN", "OPEN"),
                            ("INVESTIGATING", "INVESTIGATING"),
                            ("RESOLVED", "RESOLVED"),
                            ("WRITTEN_OFF", "WRITTEN_OFF"),
                        ],
                        default="OPEN",
                        max_length=50,
                    ),
                ),
                (
                    "kind",
                    models.CharField(choices=[("amount", "amount"), ("currency", "currency")], max_length=20),
                ),
                ("channel", models.CharField(max_length=20)),
                ("subject", models.CharField(max_length=80)),
                ("reference", models.CharField(max_length=100)),
                ("amount", models.BigIntegerField()),
                ("amount_at_risk", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("told_amount", models.BigIntegerField()),
                ("told_currency", models.CharField(blank=True, max_length=3)),
                ("source", models.CharField(max_length=20)),
                ("times_seen", models.PositiveIntegerField(default=1)),
                ("first_seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("last_seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("investigator", models.CharField(blank=True, max_length=80)),
                ("write_off_proposed_by", models.CharField(blank=True, max_length=80)),
                ("closed_by", models.CharField(blank=True, max_length=80)),
                ("closed_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "verbose_name_plural": "discrepancies",
                "permissions": [("decide_discrepancy", "Can investigate and close discrepancies")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["RESOLVED", "WRITTEN_OFF"]), _negated=True),
                        fields=["first_seen_at"],
                        name="reconciliation_work_queue",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "channel",
                            "subject",
                            "kind",
                            "amount",
                            "currency",
                            "told_amount",
                            "told_currency",
                        ),
                        name="reconciliation_discrepancy_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["OPEN", "INVESTIGATING", "RESOLVED", "WRITTEN_OFF"])
                        ),
                        name="reconciliation_discrepancy_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["RESOLVED", "WRITTEN_OFF"]), _negated=True),
                            models.Q(
                                ("closed_at__isnull", False),
                                models.Q(("closed_by", ""), _negated=True),
                                models.Q(("reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="reconciliation_closed_by_someone",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "WRITTEN_OFF"), _negated=True),
                            models.Q(
                                models.Q(("write_off_proposed_by", ""), _negated=True),
                                models.Q(("write_off_proposed_by", models.F("closed_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="reconciliation_written_off_by_two",
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="state_audit",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func="\n            IF TG_OP = 'INSERT' THEN\n                PERFORM ledger_record_audit(\n                    'discrepancy.state', ledger_public_id('dis', NEW.id),\n                    NULL, to_jsonb(NEW.state), '');\n            ELSIF NEW.state IS DISTINCT FROM OLD.state THEN\n                PERFORM ledger_record_audit(\n                    'discrepancy.state', ledger_public_id('dis', NEW.id),\n                    to_jsonb(OLD.state), to_jsonb(NEW.state), '');\n            END IF;\n            RETURN NULL;\n        ",
                            hash="cd9f2f2e64c95f35c85288ca513577a7c71c589b",
                            operation='INSERT OR UPDATE OF "state"',
                            pgid="pgtrigger_state_audit_0a4c0",
                            table="reconciliation_discrepancy",
                            when="AFTER",
                        ),
                    ),
                ],
            },
            bases=(django_fsm.FSMModelMixin, models.Model),
        ),
    ]
