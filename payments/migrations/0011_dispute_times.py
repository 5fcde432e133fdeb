"""When a dispute took money and gave it back; and UnionPay's name of a movement as its statements write it."""

from django.db import migrations, models

# The ninth to the twentieth digit of a query number are the retrieval reference number.
_NAME = """CASE {channel} WHEN 'unionpay' THEN substr({name}, 9, 12)::varchar(100) ELSE {name} END"""
MOVEMENT = """
DROP VIEW payments_movement;
CREATE VIEW payments_movement AS
    SELECT 'payment'::text AS kind, a.id AS movement, 1::smallint AS part, a.id AS parent, a.channel AS channel,
        {attempt_name} AS their_reference, a.brought AS amount, NULL::bigint AS fee, a.currency AS currency,
        coalesce(a.brought_at, a.answered_at, a.created_at) AS happened_at, a.booked_at AS booked_at,
        a.payment_id AS payment, p.reference AS reference
    FROM payments_attempt a LEFT JOIN payments_payment p ON p.id = a.payment_id
    WHERE a.kind = 'START' AND a.brought > 0
UNION ALL
    SELECT 'payment', s.id, (a.sequence + CASE WHEN s.brought > 0 THEN 1 ELSE 0 END)::smallint, s.id, a.channel,
        {attempt_name}, a.brought, NULL, a.currency,
        coalesce(a.brought_at, a.answered_at, a.created_at), a.booked_at, a.payment_id, p.reference
    FROM payments_attempt a
    JOIN payments_attempt s ON s.payment_id = a.payment_id AND s.kind = 'START' AND s.state = 'SUCCEEDED'
    LEFT JOIN payments_payment p ON p.id = a.payment_id
    WHERE a.kind = 'CAPTURE' AND a.brought > 0
UNION ALL
    SELECT 'refund', r.id, r.movement, s.id, s.channel, {refund_name}, -r.amount, NULL, r.currency,
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
        coalesce(d.withdrawn_at, d.created_at), d.created_at, d.payment_id, p.reference
    FROM payments_dispute d LEFT JOIN payments_payment p ON p.id = d.payment_id
    WHERE d.withdrawn > 0
UNION ALL
    SELECT 'dispute_won', d.id, 1::smallint, d.attempt_id, d.channel, d.channel_reference, d.reinstated, NULL, d.currency,
        coalesce(d.reinstated_at, d.closed_at, d.updated_at), coalesce(d.closed_at, d.updated_at), d.payment_id,
        p.reference
    FROM payments_dispute d LEFT JOIN payments_payment p ON p.id = d.payment_id
    WHERE d.reinstated > 0;
""".format(  # noqa: S608 - our own words
    attempt_name=_NAME.format(channel="a.channel", name="a.channel_reference"),
    refund_name=_NAME.format(channel="s.channel", name="r.channel_reference"),
)


class Migration(migrations.Migration):
    dependencies = [("payments", "0010_movements")]

    operations = [
        migrations.AddField("dispute", "withdrawn_at", models.DateTimeField(null=True)),
        migrations.AddField("dispute", "reinstated_at", models.DateTimeField(null=True)),
        migrations.RunSQL(MOVEMENT, migrations.RunSQL.noop),
    ]
