"""When money moved, and the views that statements are compared with (see `payments.movements`)."""

import django.db.models.functions.comparison
from django.db import migrations, models
from django.db.models import F

# All parts have the same types: only then does PostgreSQL look into each of them, and leave out joins not asked for.
VIEWS = """
CREATE VIEW payments_movement AS
    SELECT 'payment'::text AS kind, a.id AS movement, 1::smallint AS part, a.id AS parent, a.channel AS channel,
        a.channel_reference AS their_reference, a.brought AS amount, NULL::bigint AS fee, a.currency AS currency,
        coalesce(a.brought_at, a.answered_at, a.created_at) AS happened_at, a.booked_at AS booked_at,
        a.payment_id AS payment, p.reference AS reference
    FROM payments_attempt a LEFT JOIN payments_payment p ON p.id = a.payment_id
    WHERE a.kind = 'START' AND a.brought > 0
UNION ALL
    SELECT 'payment', s.id, (a.sequence + CASE WHEN s.brought > 0 THEN 1 ELSE 0 END)::smallint, s.id, a.channel,
        a.channel_reference, a.brought, NULL, a.currency,
        coalesce(a.brought_at, a.answered_at, a.created_at), a.booked_at, a.payment_id, p.reference
    FROM payments_attempt a
    JOIN payments_attempt s ON s.payment_id = a.payment_id AND s.kind = 'START' AND s.state = 'SUCCEEDED'
    LEFT JOIN payments_payment p ON p.id = a.payment_id
    WHERE a.kind = 'CAPTURE' AND a.brought > 0
UNION ALL
    SELECT 'refund', r.id, r.movement, s.id, s.channel, r.channel_reference, -r.amount, NULL, r.currency,
        coalesce(r.returned_at, r.asked_at, r.created_at), r.booked_at, r.payment_id, p.reference
    FROM payments_refund r
    JOIN payments_attempt s ON s.payment_id = r.payment_id AND s.kind = 'START' AND s.state = 'SUCCEEDED'
    LEFT JOIN payments_payment p ON p.id = r.payment_id
    WHERE r.state = 'SUCCEEDED' AND r.hand_by = ''
UNION ALL
    SELECT x.kind, r.id, x.part, s.id, s.channel, '', x.sign * r.amount, NULL, r.currency, x.happened_at,
        x.booked_at, r.payment_id, p.reference
    FROM payments_refund r
    CROSS JOIN LATERAL jsonb_array_elements(r.came_back) AS one
    CROSS JOIN LATERAL (VALUES
        ('refund', -1, (one->>'part')::smallint, (one->>'returned_at')::timestamptz, NULL::timestamptz),
        ('refund_returned', 1, (one->>'part')::smallint, (one->>'back_at')::timestamptz,
            (one->>'booked_at')::timestamptz)
    ) AS x (kind, sign, part, happened_at, booked_at)
    JOIN payments_attempt s ON s.payment_id = r.payment_id AND s.kind = 'START' AND s.state = 'SUCCEEDED'
    LEFT JOIN payments_payment p ON p.id = r.payment_id
    WHERE r.came_back <> '[]'
UNION ALL
    SELECT 'dispute', d.id, 1::smallint, d.attempt_id, d.channel, d.channel_reference, -d.withdrawn, d.fee, d.currency,
        d.created_at, d.created_at, d.payment_id, p.reference
    FROM payments_dispute d LEFT JOIN payments_payment p ON p.id = d.payment_id
    WHERE d.withdrawn > 0
UNION ALL
    SELECT 'dispute_won', d.id, 1::smallint, d.attempt_id, d.channel, d.channel_reference, d.reinstated, NULL, d.currency,
        coalesce(d.closed_at, d.updated_at), coalesce(d.closed_at, d.updated_at), d.payment_id, p.reference
    FROM payments_dispute d LEFT JOIN payments_payment p ON p.id = d.payment_id
    WHERE d.reinstated > 0;

CREATE VIEW payments_asked AS
    SELECT 'payment'::text AS kind, a.id AS movement, 1::smallint AS part, a.id AS parent, a.channel AS channel,
        a.amount AS amount, a.currency AS currency, a.state AS state, a.payment_id AS payment, p.reference AS reference
    FROM payments_attempt a LEFT JOIN payments_payment p ON p.id = a.payment_id
    WHERE a.kind = 'START'
UNION ALL
    SELECT 'refund', r.id, r.movement, s.id, s.channel, -r.amount, r.currency, r.state, r.payment_id, p.reference
    FROM payments_refund r
    JOIN payments_attempt s ON s.payment_id = r.payment_id AND s.kind = 'START' AND s.state = 'SUCCEEDED'
    LEFT JOIN payments_payment p ON p.id = r.payment_id;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0009_bell")]

    operations = [
        migrations.AddField("attempt", "brought_at", models.DateTimeField(null=True)),
        migrations.AddField("attempt", "booked_at", models.DateTimeField(null=True)),
        migrations.AddField("refund", "returned_at", models.DateTimeField(null=True)),
        migrations.AddField("refund", "booked_at", models.DateTimeField(null=True)),
        migrations.AddField("refund", "came_back", models.JSONField(db_default=[], default=list)),
        migrations.AddIndex(
            "attempt",
            models.Index(
                F("channel"),
                django.db.models.functions.comparison.Coalesce("brought_at", "answered_at", "created_at"),
                condition=models.Q(("brought__gt", 0)),
                name="attempt_movements",
            ),
        ),
        migrations.AddIndex(
            "refund",
            models.Index(
                django.db.models.functions.comparison.Coalesce("returned_at", "asked_at", "created_at"),
                condition=models.Q(("state", "SUCCEEDED")),
                name="refund_movements",
            ),
        ),
        migrations.AddIndex(
            "refund",
            models.Index(
                condition=models.Q(("came_back", []), _negated=True),
                fields=["created_at"],
                name="refund_came_back",
            ),
        ),
        migrations.RunSQL(VIEWS, "DROP VIEW payments_asked; DROP VIEW payments_movement"),
    ]
