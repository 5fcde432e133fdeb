"""The console's home: how the day goes, what waits for a person, and what is owed."""
