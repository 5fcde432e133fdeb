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
* `sign(world, delivery)` and `acknowledged(status, body)`, `retry_schedule`: how its notifications travel;
* for misfortune: `api_paths` (its merchants' calls), `mark` (a text by which a merchant's calls are known),
  `trouble` (its own words for 500, 502, 503, 429), `contradiction` and `for_merchant` (false notifications);
* where it has them: `open_dispute`, `keep_appointment`, `tick`, `open_items`.

Payments: call `sandbox.payments.open_payment(...)` once for every payment that the merchant starts, then
`set_state`, `add_captured`, `add_refunded`. The control API, the pages and the ground truth read only that
table: a refund that failed is taken back with `take_refund_back`, a dispute counts with `add_disputed` and
`add_reinstated`. A payment's `scan_url` is the person's own Pay/Decline page (`/wallet/alipay/<code>`), `expires_at`
makes the core call `act(..., "expire")` in time, `actions` are its row's buttons ("scan pay decline expire").

Notifications: call `sandbox.deliveries.ask_delivery(...)` in the transaction that changes the payment; the
engine sends it, calling `sign` anew at every attempt, and retries by `retry_schedule` until `acknowledged`.

Time: `world.now()` is the providers' clock; it jumps forward on demand (and back while there is no payment), and
expiries, retries, appointments and every business time go by it. `world.wall()` is the real clock, for the time
stamps of signatures only, because merchants compare those with their own clock. A moment that a merchant wrote goes
through `from_merchant`.

Misfortune: `sandbox.faults` (requests), `sandbox.twists` (notifications), `sandbox.fates` (declines, late refunds,
disputes) by plan or by the seeded mix of `sandbox.chance`. When a refund is made ask `fates.refund_fate`; put off
what comes later with `sandbox.appointments.make`, which calls `keep_appointment` in time.

Statements: `statements` (a `sandbox.statements.pages.Page` for each file) lets mistakes be planted in them: write a
file from `sandbox.statements.files.of_day`, and send it through `files.inside` and `files.outside`. `movements` is the
SQL of the true money; `pays_out` sends it to the merchant's bank each day, or call `sandbox.payouts.record`.

Control: `POST /control/clock|faults|notification-faults|fates|mix`, `GET /control/ground-truth|open|mix|clock`,
`/control/statements/faults|mix`, `GET /control/ground-truth/movements|payouts|bank|days`;
`manage.py sandbox --help` has examples of all.

Pages: `sandbox.html.fragment(name, **values)` fills and escapes `templates/<name>.html`, `page(title, body)`
makes a document of it; `templates/` and `static/` are flat, a provider's files start with its channel's name.

Concurrency: all request handlers are `async def` and run in one thread with one SQLite connection. Work
between two awaits is not interrupted; wrap every group of writes in `with world.storage.transaction():` and
do not await inside it.
"""
