"""A month of the past: paid, fetched, planted with mistakes, found, repaired, and counted again to the last fen.

`world` is the stack and the sandbox, `living` the days, `planting` the mistakes, `judge` what was found of them.
"""
