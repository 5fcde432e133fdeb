"""Channel statements and bank lines against our books."""
