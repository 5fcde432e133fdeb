"""The books and the audit journal, with the functions that guard them."""

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import ledger.identifiers

# The functions come first: the triggers below run them. Trigger functions raise class 23 errors, which
# arrive in Python as IntegrityError.
FUNCTIONS = """
CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION ledger_check_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
    unbalanced text;
BEGIN
    SELECT sum(lines), string_agg(currency || ' ' || total, ', ') FILTER (WHERE total <> 0)
    INTO written, unbalanced
    FROM (
        SELECT currency, count(*) AS lines, sum(amount) AS total
        FROM ledger_entry WHERE transaction_id = NEW.id GROUP BY currency
    ) AS sums;
    IF written IS DISTINCT FROM NEW.entry_count THEN
        RAISE EXCEPTION 'transaction % has % entries and not %', NEW.id, coalesce(written, 0), NEW.entry_count
            USING ERRCODE = 'check_violation', TABLE = 'ledger_transaction', CONSTRAINT = 'balanced';
    END IF;
    IF unbalanced IS NOT NULL THEN
        RAISE EXCEPTION 'transaction % does not balance: %', NEW.id, unbalanced
            USING ERRCODE = 'check_violation', TABLE = 'ledger_transaction', CONSTRAINT = 'balanced';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_check_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stray uuid;
BEGIN
    SELECT new_values.transaction_id INTO stray
    FROM new_values
    LEFT JOIN ledger_transaction AS head
        ON head.id = new_values.transaction_id AND new_values.position <= head.entry_count
    LEFT JOIN ledger_account AS account
        ON account.id = new_values.account_id AND account.currency = new_values.currency
    WHERE head.id IS NULL OR account.id IS NULL
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % has no room for an entry, or its account is of another currency', stray
            USING ERRCODE = 'foreign_key_violation', TABLE = 'ledger_entry', CONSTRAINT = 'entry_fits';
    END IF;
    RETURN NULL;
END $$;

-- The identifier that the outside world sees: the same as ledger.identifiers.encode.
CREATE FUNCTION ledger_public_id(prefix text, key uuid) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT prefix || '_' || string_agg(
        substr('0123456789abcdefghjkmnpqrstvwxyz', substring(bits FROM place FOR 5)::int + 1, 1),
        '' ORDER BY place)
    FROM (SELECT B'00' || ('x' || replace(key::text, '-', ''))::bit(128) AS bits) AS number,
        generate_series(1, 126, 5) AS place
$$;

CREATE FUNCTION ledger_record_audit(action text, object_id text, before jsonb, after jsonb, reason text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_auditentry (actor, action, object_id, before, after, reason, request_id)
    VALUES (
        coalesce(nullif(current_setting('audit.actor', true), ''), 'system'),
        action, object_id, before, after,
        coalesce(nullif(reason, ''), current_setting('audit.reason', true), ''),
        coalesce(current_setting('audit.request_id', true), '')
    );
END $$;
"""

DROP_FUNCTIONS = """
DROP FUNCTION ledger_record_audit(text, text, jsonb, jsonb, text);
DROP FUNCTION ledger_public_id(text, uuid);
DROP FUNCTION ledger_check_entries() CASCADE;
DROP FUNCTION ledger_check_transaction() CASCADE;
DROP FUNCTION ledger_refuse_change() CASCADE;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.RunSQL(FUNCTIONS, DROP_FUNCTIONS),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("happened_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("actor", models.CharField(max_length=80)),
                ("action", models.CharField(max_length=80)),
                ("object_id", models.CharField(max_length=80)),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("request_id", models.CharField(blank=True, max_length=80)),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "indexes": [
                    models.Index(fields=["object_id", "id"], name="ledger_audit_object"),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            execute="ledger_refuse_change()",
                            func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                            hash="50b8a54610a23a3af7cce9a1ae33f7b32fad6f78",
                            level="STATEMENT",
                            operation="UPDATE OR DELETE OR TRUNCATE",
                            pgid="pgtrigger_append_only_16c28",
                            table="ledger_auditentry",
                            when="BEFORE",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("sequence", models.BigIntegerField(primary_key=True, serialize=False)),
                ("previous_hash", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64)),
                ("sealed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="seal", to="ledger.auditentry"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("sequence__gte", 1)), name="ledger_seal_from_one"
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            execute="ledger_refuse_change()",
                            func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                            hash="a5372a766b024b0c2a42e8fd19ea0d7f312c0d48",
                            level="STATEMENT",
                            operation="UPDATE OR DELETE OR TRUNCATE",
                            pgid="pgtrigger_append_only_40290",
                            table="ledger_auditseal",
                            when="BEFORE",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Transaction",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ledger.identifiers.new_key, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("business_key", models.CharField(max_length=200)),
                ("reference", models.CharField(max_length=100)),
                ("description", models.CharField(max_length=300)),
                ("entry_count", models.SmallIntegerField()),
                ("happened_at", models.DateTimeField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "reverses",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversed_by",
                        to="ledger.transaction",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["reference"], name="ledger_transaction_reference"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("business_key",), name="ledger_transaction_business_key"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("entry_count__gte", 2)), name="ledger_transaction_two_entries"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("reverses__isnull", False)),
                        fields=("reverses",),
                        name="ledger_transaction_reversed_once",
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            execute="ledger_refuse_change()",
                            func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                            hash="0d380e8a7e833fffca419b39fbb7cb77290aaaea",
                            level="STATEMENT",
                            operation="UPDATE OR DELETE OR TRUNCATE",
                            pgid="pgtrigger_append_only_d75d5",
                            table="ledger_transaction",
                            when="BEFORE",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="balanced",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            constraint="CONSTRAINT",
                            execute="ledger_check_transaction()",
                            func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                            hash="c4986d3fdb194e4ad88e6cb200f1c9d0a05d924d",
                            operation="INSERT",
                            pgid="pgtrigger_balanced_584e8",
                            table="ledger_transaction",
                            timing="DEFERRABLE INITIALLY DEFERRED",
                            when="AFTER",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Account",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ledger.identifiers.new_key, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("currency", models.CharField(max_length=3)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("asset", "asset"),
                            ("liability", "liability"),
                            ("income", "income"),
                            ("expense", "expense"),
                        ],
                        max_length=9,
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("name", "currency"), name="ledger_account_name_currency"),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["asset", "liability", "income", "expense"])),
                        name="ledger_account_kind",
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            execute="ledger_refuse_change()",
                            func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                            hash="ab945be4496f876ef73e57d6f3dcb854c951c817",
                            level="STATEMENT",
                            operation="UPDATE OR DELETE OR TRUNCATE",
                            pgid="pgtrigger_append_only_73812",
                            table="ledger_account",
                            when="BEFORE",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("position", models.SmallIntegerField()),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="ledger.account",
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="ledger.transaction",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "entries",
                "indexes": [
                    models.Index(fields=["account", "id"], include=("amount",), name="ledger_entry_tail"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("transaction", "position"), name="ledger_entry_position"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount", 0), _negated=True), name="ledger_entry_not_zero"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("position__gte", 1)), name="ledger_entry_position_from_one"
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            execute="ledger_refuse_change()",
                            func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                            hash="dabb09e4dbff7ab8618918b8bf8e284102f8925f",
                            level="STATEMENT",
                            operation="UPDATE OR DELETE OR TRUNCATE",
                            pgid="pgtrigger_append_only_af900",
                            table="ledger_entry",
                            when="BEFORE",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="entry_fits",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            execute="ledger_check_entries()",
                            func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                            hash="0b1a1faeebfd19077e9010ec9767bc4f5a262ec5",
                            level="STATEMENT",
                            operation="INSERT",
                            pgid="pgtrigger_entry_fits_0f263",
                            referencing="REFERENCING NEW TABLE AS new_values ",
                            table="ledger_entry",
                            when="AFTER",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BalanceSnapshot",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ledger.identifiers.new_key, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("through_entry", models.BigIntegerField()),
                ("balance", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("taken_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="snapshots",
                        to="ledger.account",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "through_entry"), name="ledger_snapshot_account_through"
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="no_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            execute="ledger_refuse_change()",
                            func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                            hash="e5cf35b98309583e4c35f074a3a1a2ef23777ef8",
                            level="STATEMENT",
                            operation="UPDATE",
                            pgid="pgtrigger_no_update_12c30",
                            table="ledger_balancesnapshot",
                            when="BEFORE",
                        ),
                    ),
                ],
            },
        ),
    ]
