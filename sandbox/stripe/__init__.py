"""Stripe as the outside world plays it: API, test cards, 3-D Secure, card field and signed webhooks.

Speaks the wire protocol of API version 2026-10-28.endive for cards: payment methods, payment intents,
refunds, charges, balance transactions and events. Three things differ from the real test mode, on purpose:

* `request_three_d_secure` of `any` or `challenge` brings a challenge for every card whose network can do it,
  also for 4242 4242 4242 4242 (the real test mode lets that one pass without);
* a number that is not one of the test cards is refused when it is typed, so nobody's own card gets here;
* refunds settle at once.
"""
