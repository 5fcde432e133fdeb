"""The door to the money that moved at a channel, for whoever compares it with what the channel says.

Two views (migration 0010), to be read by raw SQL, set-based, and never written. Their columns are promised:

`MOVEMENTS`, one row for each movement that should be on a statement: `kind` (payment, refund, refund_returned, dispute,
dispute_won), `movement` (the key inside att_… of the try that began the payment, ref_…, or dsp_…), `part` (from 1: the
capture, or the refund's try), `parent` (the key inside the payment's att_…), `channel`, `their_reference`, `amount`
(minor units as the merchant sees it: what leaves us is negative), `fee` (minor units where we know it, else null),
`currency`, `happened_at` (the provider's time where told), `booked_at` (ours; null for what is older than this view),
`payment` and `reference` (what it pays, ord_…). `channel` and `happened_at` make a range of an index.

`ASKED`, what we asked a channel for, whether it moved money or not: `kind` (payment, refund), `movement`, `part`,
`parent`, `channel`, `amount`, `currency`, `state`, `payment`, `reference`. To be read by `movement`.
"""

from typing import Final

MOVEMENTS: Final = "payments_movement"
ASKED: Final = "payments_asked"
