"""Catalogue, stock, prices, orders and the customer's pages."""
