"""One posting by a function of its own, and a check of its balance that costs less and finds what that of 0002 finds."""

from django.db import migrations

# As ledger_append for one posting, without taking columns apart: whether it was written; NULL while an account is
# missing. Both inserts are one statement, so that the balance is checked when the entries are there.
APPEND_ONE = """
CREATE FUNCTION ledger_append_one(
    zone text, key uuid, business text, ref text, about text, reversed uuid, happened timestamptz, day date,
    names text[], currencies text[], amounts bigint[], items text[]
) RETURNS boolean LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    accounts uuid[];
    moment timestamptz := coalesce(happened, statement_timestamp());
    open_day date;
BEGIN
    SELECT array_agg((SELECT id FROM ledger_account WHERE name = given.name AND currency = given.currency))
    INTO accounts FROM unnest(names, currencies) AS given (name, currency);
    IF array_position(accounts, NULL) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    open_day := ledger_hold_day(coalesce(day, (moment AT TIME ZONE zone)::date));
    IF open_day <> day THEN
        RETURN false;
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
DROP_APPEND_ONE = """
DROP FUNCTION ledger_append_one(
    text, uuid, text, text, text, uuid, timestamptz, date, text[], text[], bigint[], text[]
);
"""
# A subquery and not a join: it has one plan, by the index, whatever the size of the tables when it was made.
# What is wrong is looked for in full only when something is.
CHECK_NEW = """
CREATE OR REPLACE FUNCTION ledger_check_new() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    head record;
BEGIN
    IF NOT EXISTS (
        SELECT FROM new_values WHERE (
            SELECT sum(lines) = new_values.entry_count AND bool_and(total = 0)
            FROM (
                SELECT count(*) AS lines, sum(amount) AS total
                FROM ledger_entry WHERE transaction_id = new_values.id GROUP BY currency
            ) AS sums
        ) IS NOT TRUE
    ) THEN
        RETURN NULL;
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


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_audit_actor")]

    operations = [
        migrations.RunSQL(APPEND_ONE, DROP_APPEND_ONE),
        # The check works with the code and the tables of 0004, too.
        migrations.RunSQL(CHECK_NEW, migrations.RunSQL.noop),
    ]
