"""Facts in, verdict out: rules, decisions and the cases that people decide."""
