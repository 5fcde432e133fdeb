"""Very many postings are copied into the tables: their transactions first, their entries in a second statement.

What is unfinished is noted once a statement and checked together at commit, no longer row by row.
"""

import django.contrib.postgres.fields
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

# What writers need to know before the first row: the accounts (NULL where there is none), the time, and for each wanted
# day (NULL is today) the one that is open, held until the transaction ends. Days are held in order, against deadlock.
READY_FOR = """
CREATE FUNCTION ledger_ready_for(
    names text[], currencies text[], zone text, wanted date[],
    OUT accounts uuid[], OUT moment timestamptz, OUT days date[]
) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    moment := statement_timestamp();
    SELECT array_agg((SELECT id FROM ledger_account WHERE name = given.name AND currency = given.currency)
        ORDER BY number)
    INTO accounts FROM unnest(names, currencies) WITH ORDINALITY AS given (name, currency, number);
    SELECT array_agg(day ORDER BY number) INTO days FROM (
        SELECT number, ledger_hold_day(each) AS day FROM (
            SELECT number, coalesce(given.day, (moment AT TIME ZONE zone)::date) AS each
            FROM unnest(wanted) WITH ORDINALITY AS given (day, number) ORDER BY each
        ) AS ordered
    ) AS held;
END $$;
"""
# One plan a session, by hashing, as good for one posting as for a thousand; accounts are found by their index.
# `ledger_append_many` stays as it is: the program before this calls it.
APPEND = """
CREATE OR REPLACE FUNCTION ledger_append(
    names text[], currencies text[], zone text,
    ids uuid[], business_keys text[], refs text[], descriptions text[], entry_counts smallint[], reverses uuid[],
    happened timestamptz[], days date[],
    heads int[], positions smallint[], accounts int[], amounts bigint[], items text[],
    OUT known bigint, OUT written uuid[]
) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_nestloop = off AS $$
BEGIN
    WITH account AS MATERIALIZED (
        SELECT number, currency, id FROM (
            SELECT number, currency,
                (SELECT id FROM ledger_account WHERE name = given.name AND currency = given.currency) AS id
            FROM unnest(names, currencies) WITH ORDINALITY AS given (name, currency, number)
        ) AS found WHERE id IS NOT NULL
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
DROP_READY_FOR = "DROP FUNCTION ledger_ready_for(text[], text[], text, date[])"
CHECK_NEW = """
CREATE OR REPLACE FUNCTION ledger_check_new() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    first date;
    last date;
    head record;
    waiting uuid[];
    counts smallint[];
BEGIN
    SELECT min(posted_on), max(posted_on) INTO first, last FROM new_values;
    IF first IS NULL THEN
        RETURN NULL;
    END IF;
    IF first < last OR pg_advisory_xact_lock_shared(726231901, first - DATE '2000-01-01') IS NULL THEN
        PERFORM pg_advisory_xact_lock_shared(726231901, posted_on - DATE '2000-01-01')
        FROM (SELECT DISTINCT posted_on FROM new_values ORDER BY posted_on) AS days;
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'postings are written in READ COMMITTED: an older snapshot does not show what is closed'
            USING ERRCODE = 'check_violation', TABLE = 'ledger_transaction', CONSTRAINT = 'day_is_open';
    END IF;
    IF NOT EXISTS (
        SELECT FROM new_values WHERE posted_on <= (SELECT max(posted_on) FROM ledger_dayclose) OR (
            SELECT count(*) = new_values.entry_count AND sum(amount) = 0 AND min(currency) = max(currency)
            FROM ledger_entry WHERE transaction_id = new_values.id
        ) IS NOT TRUE
    ) THEN
        RETURN NULL;
    END IF;
    SELECT id, posted_on INTO head FROM new_values
    WHERE posted_on <= (SELECT max(posted_on) FROM ledger_dayclose) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % is posted on %, which is closed', head.id, head.posted_on
            USING ERRCODE = 'check_violation', TABLE = 'ledger_transaction', CONSTRAINT = 'day_is_open';
    END IF;
    SELECT array_agg(id), array_agg(entry_count) INTO waiting, counts FROM new_values
    WHERE (SELECT count(*) FROM ledger_entry WHERE transaction_id = new_values.id) <> entry_count;
    IF waiting IS NOT NULL THEN
        INSERT INTO ledger_unfinished (transactions, entry_counts) VALUES (waiting, counts);
    END IF;
    IF (SELECT count(*) FROM new_values) = cardinality(waiting) THEN
        RETURN NULL;
    END IF;
    SELECT id, found.unbalanced INTO head FROM new_values CROSS JOIN LATERAL (
        SELECT sum(lines) AS lines, string_agg(currency || ' ' || total, ', ') FILTER (WHERE total <> 0) AS unbalanced
        FROM (
            SELECT currency, count(*) AS lines, sum(amount) AS total
            FROM ledger_entry WHERE transaction_id = new_values.id GROUP BY currency
        ) AS sums
    ) AS found
    WHERE found.lines = entry_count AND found.unbalanced IS NOT NULL
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % does not balance: %', head.id, head.unbalanced
            USING ERRCODE = 'check_violation', TABLE = 'ledger_transaction', CONSTRAINT = 'balanced';
    END IF;
    RETURN NULL;
END $$;
"""
CHECK_UNFINISHED = """
CREATE OR REPLACE FUNCTION ledger_check_unfinished() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    head record;
BEGIN
    FOR head IN
        SELECT id, entry_count FROM unnest(NEW.transactions, NEW.entry_counts) AS given (id, entry_count)
        WHERE (
            SELECT count(*) = given.entry_count AND sum(amount) = 0 AND min(currency) = max(currency)
            FROM ledger_entry WHERE transaction_id = given.id
        ) IS NOT TRUE
    LOOP
        PERFORM ledger_refuse_unbalanced(head.id, head.entry_count);
    END LOOP;
    DELETE FROM ledger_unfinished WHERE id = NEW.id;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_refuse_unbalanced(transaction uuid, wanted bigint) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    written bigint;
    unbalanced text;
BEGIN
    SELECT coalesce(sum(lines), 0), string_agg(currency || ' ' || total, ', ') FILTER (WHERE total <> 0)
    INTO written, unbalanced
    FROM (
        SELECT currency, count(*) AS lines, sum(amount) AS total
        FROM ledger_entry WHERE transaction_id = transaction GROUP BY currency
    ) AS sums;
    IF written <> wanted THEN
        RAISE EXCEPTION 'transaction % has % entries and not %', transaction, written, wanted
            USING ERRCODE = 'check_violation', TABLE = 'ledger_transaction', CONSTRAINT = 'balanced';
    END IF;
    IF unbalanced IS NOT NULL THEN
        RAISE EXCEPTION 'transaction % does not balance: %', transaction, unbalanced
            USING ERRCODE = 'check_violation', TABLE = 'ledger_transaction', CONSTRAINT = 'balanced';
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0007_rates_by_name")]

    operations = [
        # Empty outside of transactions.
        migrations.DeleteModel("Unfinished"),
        migrations.CreateModel(
            name="Unfinished",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "transactions",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None),
                ),
                (
                    "entry_counts",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SmallIntegerField(), size=None
                    ),
                ),
            ],
            options={"verbose_name_plural": "unfinished"},
        ),
        migrations.RunSQL(
            "ALTER TABLE ledger_unfinished ALTER COLUMN transactions SET STORAGE EXTERNAL,"
            " ALTER COLUMN entry_counts SET STORAGE EXTERNAL"  # to compress them takes longer than to write them
        ),
        migrations.RunSQL(READY_FOR, DROP_READY_FOR),
        migrations.RunSQL(APPEND),
        migrations.RunSQL(CHECK_NEW),
        migrations.RunSQL(CHECK_UNFINISHED),
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
    ]
