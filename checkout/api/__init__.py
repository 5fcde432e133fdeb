"""The HTTP API under /api/v1/: parse, one call, render."""
