"""What the providers tell their merchants afterwards, and the mistakes that can be planted in it.

`pages` says what a statement is to this package, `plans` keeps what was planted with its truth, `rows` changes rows
(the provider believes them: totals, summaries and hashes follow), `files` spoils whole files (they do not follow),
`mix` plants one of each kind by a seed, `control` is the API, `desk` the page. The ground truth never changes.
"""
