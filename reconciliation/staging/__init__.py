"""From lines to differences, set-based in PostgreSQL: lines are copied into a table that is not logged, joined with our
movements, and what does not simply agree is looked at closer in two small tables."""
