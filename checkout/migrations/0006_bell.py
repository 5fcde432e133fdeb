"""The bell: at commit, a shipment that left has been sold in the journal, to the minor unit."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations

FUNCTIONS = """
CREATE FUNCTION checkout_ring_for_shipment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject text := ledger_public_id('shp', NEW.id);
    in_currency text;
BEGIN
    SELECT currency INTO in_currency FROM checkout_order WHERE id = NEW.order_id;
    PERFORM ledger_must_hold(
        subject, ARRAY[subject || ':shipped'], 'customer_prepayments', in_currency, NEW.amount);
    PERFORM ledger_must_hold(
        subject, ARRAY[subject || ':shipped'], 'sales', in_currency, NEW.tax_included - NEW.subtotal - NEW.shipping);
    RETURN NULL;
END $$;
"""

DROP_FUNCTIONS = "DROP FUNCTION checkout_ring_for_shipment();"


class Migration(migrations.Migration):

    dependencies = [
        ('checkout', '0005_letters'),
        ('ledger', '0003_bell_and_audit'),
    ]

    operations = [
        migrations.RunSQL(FUNCTIONS, DROP_FUNCTIONS),
        pgtrigger.migrations.AddTrigger(
            model_name='shipment',
            trigger=pgtrigger.compiler.Trigger(name='bell_written', sql=pgtrigger.compiler.UpsertTriggerSql(condition="WHEN (NEW.state IN ('SENT', 'DELIVERED'))", constraint='CONSTRAINT', execute='checkout_ring_for_shipment()', func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';", hash='651c8477c1dbdf3bb5c5b6bc02b64b453646f274', operation='INSERT', pgid='pgtrigger_bell_written_52b06', table='checkout_shipment', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='shipment',
            trigger=pgtrigger.compiler.Trigger(name='bell', sql=pgtrigger.compiler.UpsertTriggerSql(condition="WHEN (NEW.state IN ('SENT', 'DELIVERED') AND NOT OLD.state IN ('SENT', 'DELIVERED'))", constraint='CONSTRAINT', execute='checkout_ring_for_shipment()', func="RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';", hash='ba7ca99d20e9e91d3bf43dec4c89fdeb81872b55', operation='UPDATE', pgid='pgtrigger_bell_37215', table='checkout_shipment', timing='DEFERRABLE INITIALLY DEFERRED', when='AFTER')),
        ),
    ]
