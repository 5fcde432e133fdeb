"""Pages of the console about statements, the three books and the bank."""
