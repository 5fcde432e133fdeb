"""The bell: at commit, what moved of a payment, a refund or a dispute stands in the journal, to the minor unit."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations

# Each reads the row as it is at commit: a transaction may move it more than once.
FUNCTIONS = """
CREATE FUNCTION payments_must_add_up(subject text, said numeric, rows_say numeric, what text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF said <> rows_say THEN
        RAISE EXCEPTION '% says % %, its rows say %', subject, said, what, rows_say
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bell';
    END IF;
END $$;

CREATE FUNCTION payments_refunds_must_add_up(payment uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM payments_must_add_up(ledger_public_id('pay', row.id), row.amount_refunded, (
        SELECT coalesce(sum(refund.amount), 0) FROM payments_refund AS refund
        WHERE refund.payment_id = row.id AND refund.state = 'SUCCEEDED'), 'refunded')
    FROM payments_payment AS row WHERE row.id = payment;
END $$;

CREATE FUNCTION payments_disputes_must_add_up(payment uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM payments_must_add_up(ledger_public_id('pay', row.id), row.amount_disputed, (
        SELECT coalesce(sum(dispute.withdrawn - dispute.reinstated), 0) FROM payments_dispute AS dispute
        WHERE dispute.payment_id = row.id), 'disputed')
    FROM payments_payment AS row WHERE row.id = payment;
END $$;

-- What was booked of it, and that no capture was booked beyond.
CREATE FUNCTION payments_ring_for_payment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject text := ledger_public_id('pay', NEW.id);
    row record;
    account text;
BEGIN
    SELECT channel, currency, captures, amount_captured INTO row FROM payments_payment WHERE id = NEW.id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    account := 'receivable:' || row.channel;
    PERFORM ledger_must_hold(
        subject, array(SELECT subject || ':capture:' || n FROM generate_series(1, row.captures) AS n),
        account, row.currency, row.amount_captured);
    PERFORM ledger_must_hold(subject, ARRAY[subject || ':capture:' || row.captures + 1], account, row.currency, 0);
    IF TG_OP = 'INSERT' OR OLD.amount_refunded <> NEW.amount_refunded THEN
        PERFORM payments_refunds_must_add_up(NEW.id);
    END IF;
    IF TG_OP = 'INSERT' OR OLD.amount_disputed <> NEW.amount_disputed THEN
        PERFORM payments_disputes_must_add_up(NEW.id);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION payments_ring_for_refund() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject text := ledger_public_id('ref', NEW.id);
    moved record;
    keys text[];
BEGIN
    SELECT payment.channel, row.payment_id, row.currency, row.movement, row.hand_account,
        CASE WHEN row.state = 'SUCCEEDED' AND row.hand_by = '' THEN row.amount ELSE 0 END AS by_channel,
        CASE WHEN row.state = 'SUCCEEDED' AND row.hand_by <> '' THEN row.amount ELSE 0 END AS by_hand
    INTO moved
    FROM payments_refund AS row JOIN payments_payment AS payment ON payment.id = row.payment_id
    WHERE row.id = NEW.id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(subject || ':refund' || tried || ended ORDER BY n, ended) INTO keys
    FROM generate_series(1, moved.movement) AS n,
        LATERAL (SELECT CASE WHEN n = 1 THEN '' ELSE ':' || n END) AS try (tried),
        (VALUES (''), (':returned')) AS ends (ended);
    PERFORM ledger_must_hold(
        subject, keys, 'receivable:' || moved.channel, moved.currency, -moved.by_channel);
    PERFORM ledger_must_hold(
        subject, ARRAY[subject || ':refund:hand'], 'bank:' || moved.hand_account, moved.currency, -moved.by_hand);
    PERFORM payments_refunds_must_add_up(moved.payment_id);
    RETURN NULL;
END $$;

CREATE FUNCTION payments_ring_for_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject text := ledger_public_id('dsp', NEW.id);
    row payments_dispute;
    kept bigint;
    keys text[];
BEGIN
    SELECT * INTO row FROM payments_dispute WHERE id = NEW.id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    kept := row.withdrawn - row.reinstated;
    SELECT coalesce(array_agg(subject || ':' || kind || CASE WHEN n = 1 THEN '' ELSE ':' || n END), '{}') INTO keys
    FROM jsonb_each_text(row.postings) AS posted (kind, times), generate_series(1, times::int) AS n;
    PERFORM ledger_must_hold(subject, keys, 'disputed:' || row.channel, row.currency, kept - row.lost);
    PERFORM ledger_must_hold(subject, keys, 'receivable:' || row.channel, row.currency, -kept - row.fee);
    PERFORM ledger_must_hold(subject, keys, 'dispute_losses', row.currency, row.lost);
    PERFORM ledger_must_hold(subject, keys, 'dispute_fees', row.currency, row.fee);
    PERFORM payments_must_add_up(
        subject, row.lost, CASE WHEN row.state IN ('LOST', 'ACCEPTED', 'EXPIRED') THEN kept ELSE 0 END, 'lost');
    PERFORM payments_disputes_must_add_up(row.payment_id);
    RETURN NULL;
END $$;
"""

DROP_FUNCTIONS = """
DROP FUNCTION payments_ring_for_dispute();
DROP FUNCTION payments_ring_for_refund();
DROP FUNCTION payments_ring_for_payment();
DROP FUNCTION payments_disputes_must_add_up(uuid);
DROP FUNCTION payments_refunds_must_add_up(uuid);
DROP FUNCTION payments_must_add_up(text, numeric, numeric, text);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0008_vault'),
        ('ledger', '0003_bell_and_audit'),
    ]

    operations = [
        migrations.RunSQL(FUNCTIONS, DROP_FUNCTIONS),
        pgtrigger.migrations.AddTrigger(
            model_name='dispute',
            trigger=pgtrigger.compiler.Trigger(name='kept', sql=pgtrigger.compiler.UpsertTriggerSql(execute='ledger_refuse_change()', func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';", hash='29b261d833e3fe9faaa2842018048bc0678d2d0a', level='STATEMENT', operation='DELETE OR TRUNCATE', pgid='pgtrigger_kept_dce58', table='payments_dispute', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='dispute',
            trigger=pgtrigger.compiler.Trigger(name='bell_written', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (NEW.withdrawn <> 0 OR NEW.fee <> 0)', constraint='CONSTRAINT', execute='payments_ring_for_dispute()', func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';", hash='07876aab0ab395ba416b001952db55e495850dd9', operation='INSERT', pgid='pgtrigger_bell_written_04759', table='payments_dispute', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='dispute',
            trigger=pgtrigger.compiler.Trigger(name='bell', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN ((OLD.state, OLD.withdrawn, OLD.reinstated, OLD.lost, OLD.fee, OLD.postings, OLD.channel, OLD.currency, OLD.payment_id) IS DISTINCT FROM (NEW.state, NEW.withdrawn, NEW.reinstated, NEW.lost, NEW.fee, NEW.postings, NEW.channel, NEW.currency, NEW.payment_id))', constraint='CONSTRAINT', execute='payments_ring_for_dispute()', func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';", hash='14f93441d9ddee1c38c2306a8f8d746e7f08db9c', operation='UPDATE', pgid='pgtrigger_bell_61546', table='payments_dispute', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='payment',
            trigger=pgtrigger.compiler.Trigger(name='kept', sql=pgtrigger.compiler.UpsertTriggerSql(execute='ledger_refuse_change()', func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';", hash='dc21b3beaac74c17a51a15c0e8e9ac8c4395c38e', level='STATEMENT', operation='DELETE OR TRUNCATE', pgid='pgtrigger_kept_52868', table='payments_payment', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='payment',
            trigger=pgtrigger.compiler.Trigger(name='bell_written', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (NEW.amount_captured <> 0 OR NEW.captures <> 0 OR NEW.amount_refunded <> 0 OR NEW.amount_disputed <> 0)', constraint='CONSTRAINT', execute='payments_ring_for_payment()', func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';", hash='5404420bdb5279227f8dfff84bef15508d3bcc9b', operation='INSERT', pgid='pgtrigger_bell_written_ee0e6', table='payments_payment', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='payment',
            trigger=pgtrigger.compiler.Trigger(name='bell', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN ((OLD.amount_captured, OLD.captures, OLD.amount_refunded, OLD.amount_disputed) IS DISTINCT FROM (NEW.amount_captured, NEW.captures, NEW.amount_refunded, NEW.amount_disputed) OR NEW.amount_captured <> 0 AND (OLD.channel, OLD.currency) IS DISTINCT FROM (NEW.channel, NEW.currency))', constraint='CONSTRAINT', execute='payments_ring_for_payment()', func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';", hash='381eb22e8e1a418d87dbc41b51e9117dd88b475f', operation='UPDATE', pgid='pgtrigger_bell_e748a', table='payments_payment', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='refund',
            trigger=pgtrigger.compiler.Trigger(name='kept', sql=pgtrigger.compiler.UpsertTriggerSql(execute='ledger_refuse_change()', func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';", hash='7c3f783f84452680cba803333c342106bc9c164e', level='STATEMENT', operation='DELETE OR TRUNCATE', pgid='pgtrigger_kept_fd094', table='payments_refund', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='refund',
            trigger=pgtrigger.compiler.Trigger(name='bell_written', sql=pgtrigger.compiler.UpsertTriggerSql(condition="WHEN (NEW.state = 'SUCCEEDED')", constraint='CONSTRAINT', execute='payments_ring_for_refund()', func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';", hash='1efaba9951a7b4bd2c023c82512a5191cb44fd7b', operation='INSERT', pgid='pgtrigger_bell_written_baa72', table='payments_refund', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='refund',
            trigger=pgtrigger.compiler.Trigger(name='bell', sql=pgtrigger.compiler.UpsertTriggerSql(condition="WHEN ('SUCCEEDED' IN (OLD.state, NEW.state) AND (OLD.state, OLD.amount, OLD.currency, OLD.payment_id, OLD.movement, OLD.hand_account) IS DISTINCT FROM (NEW.state, NEW.amount, NEW.currency, NEW.payment_id, NEW.movement, NEW.hand_account))", constraint='CONSTRAINT', execute='payments_ring_for_refund()', func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';", hash='a896d1a7c17242a69b1f551dfbae3d3cc063bad2', operation='UPDATE', pgid='pgtrigger_bell_d8972', table='payments_refund', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
    ]
