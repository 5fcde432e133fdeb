"""Cards through Stripe, with the official SDK. The other channels' folders have the same files."""
