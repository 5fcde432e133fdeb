"""Fewer statements inside a posting: what is checked, and what is refused, is what it was.

Each statement of a function costs a posting some microseconds, so the day and the balance of new transactions are looked
at by one trigger, and a lock is taken in an expression. Works with the code of 0005, too.
"""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations

# The lock comes before the statement that looks for closes: that needs a snapshot taken after it. Subqueries and not
# joins, because they have one plan, by the index, whatever the size of the tables when it was made.
APPEND_ONE = """
CREATE OR REPLACE FUNCTION ledger_append_one(
    zone text, key uuid, business text, ref text, about text, reversed uuid, happened timestamptz, day date,
    names text[], currencies text[], amounts bigint[], items text[]
) RETURNS boolean LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    accounts uuid[];
    closed date;
    moment timestamptz := coalesce(happened, statement_timestamp());
    open_day date := coalesce(day, (moment AT TIME ZONE zone)::date);
BEGIN
    IF pg_advisory_xact_lock_shared(726231901, open_day - DATE '2000-01-01') IS NULL THEN  -- never: it waits
        RETURN NULL;
    END IF;
    SELECT array_agg((SELECT id FROM ledger_account WHERE name = given.name AND currency = given.currency)),
        (SELECT max(posted_on) FROM ledger_dayclose)
    INTO accounts, closed FROM unnest(names, currencies) AS given (name, currency);
    IF array_position(accounts, NULL) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    IF open_day <= closed THEN
        open_day := ledger_hold_day(open_day);
        IF open_day <> day THEN
            RETURN false;
        END IF;
    END IF;
    WITH head AS (
        INSERT INTO ledger_transaction
            (id, business_key, reference, description, entry_count, reverses_id, happened_at, posted_on)
        VALUES (key, business, ref, about, cardinality(names), reversed, moment, open_day)
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    INSERT INTO ledger_entry (transaction_id, position, account_id, currency, amount, item, posted_on)
    SELECT head.id, line.number, line.account, line.currency, line.amount, line.item, open_day
    FROM head CROSS JOIN unnest(accounts, currencies, amounts, items)
        WITH ORDINALITY AS line (account, currency, amount, item, number);
    RETURN FOUND;
END $$;
"""
# What is wrong, and what balances in several currencies, is looked at in full only when there is some.
CHECK_NEW = """
CREATE OR REPLACE FUNCTION ledger_check_new() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    first date;
    last date;
    head record;
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
"""
CHECK_ENTRIES = """
CREATE OR REPLACE FUNCTION ledger_check_entries() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    stray uuid;
BEGIN
    SELECT transaction_id INTO stray FROM new_values
    WHERE (
        SELECT new_values.position <= entry_count AND new_values.posted_on = posted_on
        FROM ledger_transaction WHERE id = new_values.transaction_id
    ) IS NOT TRUE OR (
        SELECT currency = new_values.currency FROM ledger_account WHERE id = new_values.account_id
    ) IS NOT TRUE
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % has no room for an entry that day, or its account is of another currency', stray
            USING ERRCODE = 'foreign_key_violation', TABLE = 'ledger_entry', CONSTRAINT = 'entry_fits';
    END IF;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_single_posting")]

    operations = [
        migrations.RunSQL(APPEND_ONE, migrations.RunSQL.noop),
        migrations.RunSQL(CHECK_ENTRIES, migrations.RunSQL.noop),
        migrations.RunSQL(CHECK_NEW, migrations.RunSQL.noop),
        pgtrigger.migrations.RemoveTrigger(model_name="transaction", name="day_is_open"),
    ]
