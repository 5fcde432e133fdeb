"""The outside world in one program: the payment providers, the wallets and the card issuers, on loopback.

It speaks each provider's wire protocol and shares no code and no tables with the shop. Start it with
`python -m sandbox --data DIR --port P`; everything it knows is one SQLite file in DIR and survives a restart.

How a provider plugs in
-----------------------
A provider is a package (`sandbox/stripe/`, …) with a subclass of `sandbox.provider.Provider`, named in
`sandbox/registry.py`. It supplies:

* `schema`: SQL of its own tables (`CREATE TABLE IF NOT EXISTS`, prefixed with its channel);
* `prepare(world)`: makes its keys once and keeps them with `world.storage.remember(name, make)`;
* `routes(world)`: its Starlette routes, with the prefix of the contract (`/stripe/…`);
* `onboard(world, merchant, asked)`: stores what the merchant gave and returns the credentials of the answer;
* `act(world, payment, action)`: what a person does to a payment: `scan`, `pay`, `decline`, `expire`;
* `sign(world, delivery)` and `acknowledged(status, body)`, `retry_schedule`: how its notifications travel.

Payments: call `sandbox.payments.open_payment(...)` once for every payment that the merchant starts, then
`set_state`, `add_captured`, `add_refunded`. The control API, the pages and the ground truth read only that
table. A payment's `scan_url` is the person's own Pay/Decline page (`/wallet/alipay/<code>`), `expires_at`
makes the core call `act(..., "expire")` in time, `actions` are its row's buttons ("scan pay decline expire").

Notifications: call `sandbox.deliveries.ask_delivery(...)` in the transaction that changes the payment; the
engine sends it, calling `sign` anew at every attempt, and retries by `retry_schedule` until `acknowledged`.

Pages: `sandbox.html.fragment(name, **values)` fills and escapes `templates/<name>.html`, `page(title, body)`
makes a document of it; `templates/` and `static/` are flat, a provider's files start with its channel's name.

Concurrency: all request handlers are `async def` and run in one thread with one SQLite connection. Work
between two awaits is not interrupted; wrap every group of writes in `with world.storage.transaction():` and
do not await inside it.
"""
