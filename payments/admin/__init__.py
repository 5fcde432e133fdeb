"""The console's pages about payments: their records, and the queue of those that wait for a person."""

from payments.admin import messages, records, saved_methods, webhooks

__all__ = ["messages", "records", "saved_methods", "webhooks"]
