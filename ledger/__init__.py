"""The money at the ground: accounts, journal, money, and the tamper-evident audit journal."""
