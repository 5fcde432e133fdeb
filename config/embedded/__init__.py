"""What a bare machine lacks: PostgreSQL and Redis from wheels, secrets, and one supervisor over all parts."""
