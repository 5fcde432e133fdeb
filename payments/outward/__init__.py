"""The way out to merchants' own addresses: what is said, where it may go, how it is sent, and reads of all that."""
