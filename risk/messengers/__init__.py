"""Whoever carries a code to a customer: by e-mail or SMS."""
