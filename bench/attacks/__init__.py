"""Five attacks on a shop, with honest shoppers among them: who is who is written down before anything is judged.

`script` says what is planned, `people` and `attackers` plan it, `shop` lives it through the product's own decision,
`judge` counts what was stopped, `door` tries a part of it over HTTP on a running copy.
"""
