"""The fault drill: customers buy, providers fail by a seeded mix, and every part of the program is killed.

`make drill SEED=7 PAYMENTS=500`. Afterwards nothing may be lost, doubled or stuck, and the books must agree with the
sandbox's ground truth to the minor unit.
"""
