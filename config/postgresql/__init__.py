"""PostgreSQL as Django knows it, with a health check that costs no round trip, no commit that keeps nothing, and what
`ledger.wire` posts.
"""
