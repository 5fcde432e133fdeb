"""What comes in (strict) and what goes out (explicit), field by field."""
