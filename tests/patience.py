"""How long a test waits for what must come, on a slow machine too. A wait that shows that nothing comes is short."""

PATIENCE = 300.0  # seconds
PAGE_PATIENCE = 60_000  # milliseconds that a browser waits; a selector with a typing error waits as long
