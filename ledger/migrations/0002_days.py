"""Accounting days and their close, items, exchange rates; what is written in one statement is checked set-based."""

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection, migrations, models, transaction

import ledger.identifiers
import ledger.models.days

# A posting holds its day (shared), a close takes the day for itself. Both look for closes only after they have the
# lock, which needs a snapshot a statement: READ COMMITTED.
DAYS = """
CREATE FUNCTION ledger_open_day() RETURNS date LANGUAGE sql STABLE AS $$
    SELECT greatest(
        (statement_timestamp() AT TIME ZONE '{zone}')::date, (SELECT max(posted_on) + 1 FROM ledger_dayclose))
$$;

CREATE FUNCTION ledger_hold_day(wanted date) RETURNS date LANGUAGE plpgsql AS $$
DECLARE
    closed date;
BEGIN
    LOOP
        PERFORM pg_advisory_xact_lock_shared(726231901, wanted - DATE '2000-01-01');
        SELECT max(posted_on) INTO closed FROM ledger_dayclose;
        IF closed IS NULL OR wanted > closed THEN
            RETURN wanted;
        END IF;
        wanted := closed + 1;
    END LOOP;
END $$;

CREATE FUNCTION ledger_check_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stray uuid;
    day date;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(726231901, posted_on - DATE '2000-01-01')
    FROM (SELECT DISTINCT posted_on FROM new_values ORDER BY posted_on) AS days;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'postings are written in READ COMMITTED: an older snapshot does not show what is closed'
            USING ERRCODE = 'check_violation', TABLE = 'ledger_transaction', CONSTRAINT = 'day_is_open';
    END IF;
    SELECT id, posted_on INTO stray, day FROM new_values
    WHERE posted_on <= (SELECT max(posted_on) FROM ledger_dayclose) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % is posted on %, which is closed', stray, day
            USING ERRCODE = 'check_violation', TABLE = 'ledger_transaction', CONSTRAINT = 'day_is_open';
    END IF;
    RETURN NULL;
END $$;

-- The first close also ends the days before it, which may have postings on their way: all of them are waited for.
CREATE FUNCTION ledger_take_day(day date) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(726231901, day - DATE '2000-01-01');
    IF NOT EXISTS (SELECT FROM ledger_dayclose) THEN
        LOCK TABLE ledger_transaction IN SHARE MODE;
    END IF;
END $$;

CREATE FUNCTION ledger_check_close() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed date;
    earlier date;
BEGIN
    PERFORM ledger_take_day(NEW.posted_on);
    IF NEW.posted_on >= (clock_timestamp() AT TIME ZONE '{zone}')::date THEN
        RAISE EXCEPTION 'day % has not ended', NEW.posted_on
            USING ERRCODE = 'check_violation', TABLE = 'ledger_dayclose', CONSTRAINT = 'in_order';
    END IF;
    SELECT max(posted_on) INTO closed FROM ledger_dayclose;
    SELECT min(first.posted_on) INTO earlier FROM ledger_account AS account CROSS JOIN LATERAL (
        SELECT posted_on FROM ledger_entry WHERE account_id = account.id ORDER BY posted_on LIMIT 1
    ) AS first;
    IF NEW.posted_on <> coalesce(closed + 1, earlier) THEN
        RAISE EXCEPTION 'days are closed in order: not %', NEW.posted_on
            USING ERRCODE = 'check_violation', TABLE = 'ledger_dayclose', CONSTRAINT = 'in_order';
    END IF;
    RETURN NEW;
END $$;
"""
DROP_DAYS = """
DROP FUNCTION ledger_check_close() CASCADE;
DROP FUNCTION ledger_take_day(date);
DROP FUNCTION ledger_check_day() CASCADE;
DROP FUNCTION ledger_hold_day(date);
DROP FUNCTION ledger_open_day() CASCADE;
"""
# It posts nothing while an account is missing, nothing whose key is taken, and nothing into a day that was asked for and
# is closed. Sorted by key, so that two batches with keys in common do not deadlock. `written` is NULL when all were.
# For a few postings the plan is made once a session, which saves half of the time; many are worth a plan of their own.
APPEND = """
CREATE FUNCTION {name}(
    names text[], currencies text[], zone text,
    ids uuid[], business_keys text[], refs text[], descriptions text[], entry_counts smallint[], reverses uuid[],
    happened timestamptz[], days date[],
    heads int[], positions smallint[], accounts int[], amounts bigint[], items text[],
    OUT known bigint, OUT written uuid[]
) LANGUAGE plpgsql {plans} AS $$
BEGIN
    WITH account AS (
        SELECT given.number, given.currency, ledger_account.id
        FROM unnest(names, currencies) WITH ORDINALITY AS given (name, currency, number)
        JOIN ledger_account USING (name, currency)
    ), head AS (
        SELECT number, id, business_key, reference, description, entry_count, reverses_id, day,
            coalesce(happened_at, statement_timestamp()) AS happened_at,
            coalesce(day, (coalesce(happened_at, statement_timestamp()) AT TIME ZONE zone)::date) AS wanted
        FROM unnest(ids, business_keys, refs, descriptions, entry_counts, reverses, happened, days)
            WITH ORDINALITY AS given
            (id, business_key, reference, description, entry_count, reverses_id, happened_at, day, number)
    ), held AS MATERIALIZED (
        SELECT wanted, ledger_hold_day(wanted) AS posted_on
        FROM (SELECT DISTINCT wanted FROM head ORDER BY wanted) AS each
    ), posted AS (
        INSERT INTO ledger_transaction
            (id, business_key, reference, description, entry_count, reverses_id, happened_at, posted_on)
        SELECT id, business_key, reference, description, entry_count, reverses_id, happened_at, held.posted_on
        FROM head JOIN held USING (wanted)
        WHERE (SELECT count(*) FROM account) = cardinality(names)
            AND (head.day IS NULL OR head.day = held.posted_on)
        ORDER BY business_key, number
        ON CONFLICT DO NOTHING
        RETURNING id, posted_on
    ), lines AS (
        INSERT INTO ledger_entry (transaction_id, position, account_id, currency, amount, item, posted_on)
        SELECT posted.id, line.position, account.id, account.currency, line.amount, line.item, posted.posted_on
        FROM unnest(heads, positions, accounts, amounts, items) WITH ORDINALITY AS line
            (head, position, account, amount, item, number)
        JOIN head ON head.number = line.head
        JOIN posted ON posted.id = head.id
        JOIN account ON account.number = line.account
        ORDER BY line.number
    )
    SELECT (SELECT count(*) FROM account),
        CASE WHEN (SELECT count(*) FROM posted) < cardinality(ids) THEN ARRAY(SELECT id FROM posted) END
    INTO known, written;
END $$;
"""
_ARRAYS = (
    "text[], text[], text, uuid[], text[], text[], text[], smallint[], uuid[], timestamptz[], date[], int[], smallint[],"
    " int[], bigint[], text[]"
)
APPENDS = APPEND.format(
    name="ledger_append", plans="SET plan_cache_mode = force_generic_plan SET enable_seqscan = off"
) + APPEND.format(name="ledger_append_many", plans="SET plan_cache_mode = force_custom_plan")
DROP_APPENDS = f"DROP FUNCTION ledger_append({_ARRAYS}); DROP FUNCTION ledger_append_many({_ARRAYS});"
# Plans are kept for as long as a session lasts: one made for a large batch and small tables would read whole
# tables for a single posting later.
BY_INDEX = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"
CHECKS = """
CREATE FUNCTION ledger_check_new() RETURNS trigger LANGUAGE plpgsql {by_index} AS $$
DECLARE
    head record;
BEGIN
    FOR head IN
        SELECT id, entry_count, sum(lines) AS lines,
            string_agg(currency || ' ' || total, ', ') FILTER (WHERE total <> 0) AS unbalanced
        FROM (
            SELECT new_values.id, new_values.entry_count, entry.currency,
                count(entry.id) AS lines, sum(entry.amount) AS total
            FROM new_values LEFT JOIN ledger_entry AS entry ON entry.transaction_id = new_values.id
            GROUP BY new_values.id, new_values.entry_count, entry.currency
        ) AS sums
        GROUP BY id, entry_count
        HAVING sum(lines) <> entry_count OR bool_or(total <> 0)
    LOOP
        IF head.lines <> head.entry_count THEN
            INSERT INTO ledger_unfinished (transaction_id) VALUES (head.id);
        ELSE
            RAISE EXCEPTION 'transaction % does not balance: %', head.id, head.unbalanced
                USING ERRCODE = 'check_violation', TABLE = 'ledger_transaction', CONSTRAINT = 'balanced';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_check_unfinished() RETURNS trigger LANGUAGE plpgsql {by_index} AS $$
DECLARE
    wanted bigint;
    written bigint;
    unbalanced text;
BEGIN
    SELECT entry_count INTO wanted FROM ledger_transaction WHERE id = NEW.transaction_id;
    SELECT coalesce(sum(lines), 0), string_agg(currency || ' ' || total, ', ') FILTER (WHERE total <> 0)
    INTO written, unbalanced
    FROM (
        SELECT currency, count(*) AS lines, sum(amount) AS total
        FROM ledger_entry WHERE transaction_id = NEW.transaction_id GROUP BY currency
    ) AS sums;
    IF written IS DISTINCT FROM wanted THEN
        RAISE EXCEPTION 'transaction % has % entries and not %', NEW.transaction_id, written, wanted
            USING ERRCODE = 'check_violation', TABLE = 'ledger_transaction', CONSTRAINT = 'balanced';
    END IF;
    IF unbalanced IS NOT NULL THEN
        RAISE EXCEPTION 'transaction % does not balance: %', NEW.transaction_id, unbalanced
            USING ERRCODE = 'check_violation', TABLE = 'ledger_transaction', CONSTRAINT = 'balanced';
    END IF;
    DELETE FROM ledger_unfinished WHERE transaction_id = NEW.transaction_id;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION ledger_check_entries() RETURNS trigger LANGUAGE plpgsql {by_index} AS $$
DECLARE
    stray uuid;
BEGIN
    SELECT new_values.transaction_id INTO stray
    FROM new_values
    LEFT JOIN ledger_transaction AS head
        ON head.id = new_values.transaction_id AND new_values.position <= head.entry_count
        AND new_values.posted_on = head.posted_on
    LEFT JOIN ledger_account AS account
        ON account.id = new_values.account_id AND account.currency = new_values.currency
    WHERE head.id IS NULL OR account.id IS NULL
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % has no room for an entry that day, or its account is of another currency', stray
            USING ERRCODE = 'foreign_key_violation', TABLE = 'ledger_entry', CONSTRAINT = 'entry_fits';
    END IF;
    RETURN NULL;
END $$;
"""
# The function of 0001 works with these columns, too.
DROP_CHECKS = """
DROP FUNCTION ledger_check_unfinished() CASCADE;
DROP FUNCTION ledger_check_new() CASCADE;
"""
_BATCH = 5000
_HEADS = """
WITH batch AS (
    SELECT id, (happened_at AT TIME ZONE %(zone)s)::date AS day FROM ledger_transaction
    WHERE id > coalesce(%(after)s, '00000000-0000-0000-0000-000000000000')::uuid ORDER BY id LIMIT %(limit)s
), changed AS (
    UPDATE ledger_transaction AS head SET posted_on = batch.day FROM batch
    WHERE head.id = batch.id AND head.posted_on <> batch.day
)
SELECT id FROM batch ORDER BY id DESC LIMIT 1
"""
_ENTRIES = """
WITH batch AS (
    SELECT entry.id, head.posted_on AS day
    FROM ledger_entry AS entry JOIN ledger_transaction AS head ON head.id = entry.transaction_id
    WHERE entry.id > coalesce(%(after)s, 0)::bigint ORDER BY entry.id LIMIT %(limit)s
), changed AS (
    UPDATE ledger_entry AS entry SET posted_on = batch.day FROM batch
    WHERE entry.id = batch.id AND entry.posted_on <> batch.day
)
SELECT max(id) FROM batch
"""


def give_old_rows_their_day(apps: object, schema_editor: object) -> None:
    """Some thousand rows a transaction. The guard against changes is off for nobody else: the table is locked."""
    for table, trigger, sql in (
        ("ledger_transaction", "pgtrigger_append_only_d75d5", _HEADS),
        ("ledger_entry", "pgtrigger_append_only_af900", _ENTRIES),
    ):
        after = None
        while True:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
                cursor.execute(sql, {"zone": settings.LEDGER_TIME_ZONE, "after": after, "limit": _BATCH})
                found = cursor.fetchone()
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")
            if found is None or found[0] is None:
                break
            (after,) = found


class Migration(migrations.Migration):
    atomic = False  # old rows get their day in batches, their index while others write

    dependencies = [
        ("ledger", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="DayBalance",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ledger.identifiers.new_key, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("posted_on", models.DateField()),
                ("balance", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="day_balances",
                        to="ledger.account",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account", "posted_on"), name="ledger_daybalance_account_day"),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            execute="ledger_refuse_change()",
                            func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                            hash="4b7aa98b413493e1fc358267e4425ecdcfa4db2e",
                            level="STATEMENT",
                            operation="UPDATE OR DELETE OR TRUNCATE",
                            pgid="pgtrigger_append_only_1510b",
                            table="ledger_daybalance",
                            when="BEFORE",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DayClose",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ledger.identifiers.new_key, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("posted_on", models.DateField()),
                ("entry_count", models.BigIntegerField()),
                ("closed_by", models.CharField(max_length=80)),
                ("closed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "permissions": [("close_day", "Can close a day")],
                "constraints": [
                    models.UniqueConstraint(fields=("posted_on",), name="ledger_dayclose_posted_on"),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            execute="ledger_refuse_change()",
                            func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                            hash="4a045800646485b6100f1c0ba95abbec4836551d",
                            level="STATEMENT",
                            operation="UPDATE OR DELETE OR TRUNCATE",
                            pgid="pgtrigger_append_only_f82af",
                            table="ledger_dayclose",
                            when="BEFORE",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DayTotal",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ledger.identifiers.new_key, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("moved_amount", models.BigIntegerField()),
                ("balance_amount", models.BigIntegerField()),
                (
                    "close",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="totals",
                        to="ledger.dayclose",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("close", "currency"), name="ledger_daytotal_close_currency"),
                    models.CheckConstraint(
                        condition=models.Q(("balance_amount__gte", 0), ("moved_amount__gte", 0)),
                        name="ledger_daytotal_not_negative",
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            execute="ledger_refuse_change()",
                            func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                            hash="c138b49cdb11e7b2ff2e8748a1fba6726b5cb0cc",
                            level="STATEMENT",
                            operation="UPDATE OR DELETE OR TRUNCATE",
                            pgid="pgtrigger_append_only_c2a18",
                            table="ledger_daytotal",
                            when="BEFORE",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FxRate",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ledger.identifiers.new_key, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("base", models.CharField(max_length=3)),
                ("quote", models.CharField(max_length=3)),
                ("rate", models.DecimalField(decimal_places=10, max_digits=20)),
                ("source", models.CharField(max_length=80)),
                ("valid_since", models.DateTimeField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("base", "quote", "valid_since", "source"), name="ledger_fxrate_told_once"
                    ),
                    models.CheckConstraint(condition=models.Q(("rate__gt", 0)), name="ledger_fxrate_positive"),
                    models.CheckConstraint(
                        condition=models.Q(("base", models.F("quote")), _negated=True), name="ledger_fxrate_two_currencies"
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="append_only",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            execute="ledger_refuse_change()",
                            func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                            hash="a805aaf70ef55d8099056892bff9ff33b466ae45",
                            level="STATEMENT",
                            operation="UPDATE OR DELETE OR TRUNCATE",
                            pgid="pgtrigger_append_only_40971",
                            table="ledger_fxrate",
                            when="BEFORE",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Unfinished",
            fields=[
                ("transaction_id", models.UUIDField(primary_key=True, serialize=False)),
            ],
            options={
                "verbose_name_plural": "unfinished",
            },
        ),
        migrations.RunSQL(DAYS.format(zone=settings.LEDGER_TIME_ZONE), DROP_DAYS),
        migrations.AddField(
            model_name="entry",
            name="item",
            field=models.CharField(blank=True, db_default="", max_length=64),
        ),
        migrations.AddField(
            model_name="entry",
            name="posted_on",
            field=models.DateField(db_default=ledger.models.days.OpenDay()),
        ),
        migrations.AddField(
            model_name="transaction",
            name="posted_on",
            field=models.DateField(db_default=ledger.models.days.OpenDay()),
        ),
        migrations.RunPython(give_old_rows_their_day, migrations.RunPython.noop),
        migrations.RunSQL(CHECKS.format(by_index=BY_INDEX), DROP_CHECKS),
        migrations.RunSQL(APPENDS, DROP_APPENDS),
        AddIndexConcurrently(
            model_name="entry",
            index=models.Index(fields=["account", "posted_on", "id"], include=("amount",), name="ledger_entry_day"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="transaction",
            trigger=pgtrigger.compiler.Trigger(
                name="complete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    execute="ledger_check_new()",
                    func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                    hash="30a28223de781d48f185cd35ed0ad69ff36363ac",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_complete_f25ac",
                    referencing="REFERENCING NEW TABLE AS new_values ",
                    table="ledger_transaction",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="transaction",
            trigger=pgtrigger.compiler.Trigger(
                name="day_is_open",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    execute="ledger_check_day()",
                    func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                    hash="5b0559e9422db461fddb71fb3ca85762feae27a5",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_day_is_open_2f9ad",
                    referencing="REFERENCING NEW TABLE AS new_values ",
                    table="ledger_transaction",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="dayclose",
            trigger=pgtrigger.compiler.Trigger(
                name="in_order",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    execute="ledger_check_close()",
                    func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                    hash="29d369df26900bca1d77d2c87110a370901e8108",
                    operation="INSERT",
                    pgid="pgtrigger_in_order_14879",
                    table="ledger_dayclose",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="unfinished",
            trigger=pgtrigger.compiler.Trigger(
                name="balanced",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    constraint="CONSTRAINT",
                    execute="ledger_check_unfinished()",
                    func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';",
                    hash="c5e61c41b0647e1098503cc14170e3a232e9d612",
                    operation="INSERT",
                    pgid="pgtrigger_balanced_757d4",
                    table="ledger_unfinished",
                    timing="DEFERRABLE INITIALLY DEFERRED",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="transaction",
            name="balanced",
        ),
    ]
