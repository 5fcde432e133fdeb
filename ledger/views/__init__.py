"""The console's pages of the books."""
