"""Stripe as the outside world plays it: API, test cards, 3-D Secure, wallets, card field and signed webhooks.

Speaks the wire protocol of API version 2026-10-28.endive for cards, Alipay and WeChat Pay: customers, payment
methods and tokens, payment intents with several captures, charges, refunds, disputes with evidence and files,
balance transactions, payouts, finance reports and events. Its fee is 2.9 % of the amount, rounded half up to the
minor unit, and 30 minor units, in every currency; a dispute costs 1500 minor units. Four things differ from the
real test mode, on purpose:

* `request_three_d_secure` of `any` or `challenge` brings a challenge for every card whose network can do it,
  also for 4242 4242 4242 4242 (the real test mode lets that one pass without);
* a number that is not one of the test cards is refused when it is typed, so nobody's own card gets here;
* refunds settle at once, unless the card or the control API says otherwise;
* an account may owe Stripe, unless the control API forbids it.
"""
