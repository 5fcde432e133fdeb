"""Payments, attempts, channels, refunds, the inbox and the outbox."""
