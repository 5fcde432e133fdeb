"""What other apps' triggers ask of the journal, without knowing its columns; and where audited requests come from."""

from django.db import migrations, models

# One plan, by the business key and then the transaction, however small the tables were when it was made: subqueries
# and not joins, because a join may begin at the account, and a hot account has every entry there is.
FUNCTIONS = """
CREATE FUNCTION ledger_posted(business_keys text[], of_account text, in_currency text) RETURNS bigint
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (
        SELECT coalesce(sum((
            SELECT sum(entry.amount) FROM ledger_entry AS entry
            WHERE entry.transaction_id = head.id AND entry.currency = in_currency
                AND of_account = (SELECT name FROM ledger_account AS account WHERE account.id = entry.account_id)
        )), 0)
        FROM ledger_transaction AS head WHERE head.business_key = ANY (business_keys)
    );
END $$;

-- For the deferred triggers of ledger.guards.Bell: `subject` is the row that says `amount` (debits positive).
CREATE FUNCTION ledger_must_hold(
    subject text, business_keys text[], of_account text, in_currency text, amount bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    posted bigint := ledger_posted(business_keys, of_account, in_currency);
BEGIN
    IF posted <> amount THEN
        RAISE EXCEPTION '% moved % % of %, the journal has % under %', subject, amount, in_currency, of_account,
            posted, coalesce(nullif(array_to_string(business_keys, ', '), ''), 'no key')
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bell';
    END IF;
END $$;
"""

DROP_FUNCTIONS = """
DROP FUNCTION ledger_must_hold(text, text[], text, text, bigint);
DROP FUNCTION ledger_posted(text[], text, text);
"""


RECORD_AUDIT = """
CREATE OR REPLACE FUNCTION ledger_record_audit(
    action text, object_id text, before jsonb, after jsonb, reason text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_auditentry (actor, action, object_id, before, after, reason, request_id{column})
    VALUES (
        coalesce(nullif(current_setting('audit.actor', true), ''), 'system'),
        action, object_id, before, after,
        coalesce(nullif(reason, ''), current_setting('audit.reason', true), ''),
        coalesce(current_setting('audit.request_id', true), ''){value}
    );
END $$;
"""
WITH_NETWORK = RECORD_AUDIT.format(
    column=", network", value=",\n        coalesce(current_setting('audit.network', true), '')"
)
WITHOUT_NETWORK = RECORD_AUDIT.format(column="", value="")


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_days")]

    operations = [
        migrations.RunSQL(FUNCTIONS, DROP_FUNCTIONS),
        migrations.AddField(
            model_name="auditentry",
            name="network",
            field=models.CharField(blank=True, db_default="", default="", max_length=43),
        ),
        # What is sealed so far is in the first form, under a key that the seal does not name.
        migrations.AddField(
            model_name="auditseal",
            name="form",
            field=models.SmallIntegerField(db_default=1, default=2),
        ),
        migrations.AddField(
            model_name="auditseal",
            name="key",
            field=models.CharField(blank=True, db_default="", default="", max_length=8),
        ),
        migrations.RunSQL(WITH_NETWORK, WITHOUT_NETWORK),
    ]
