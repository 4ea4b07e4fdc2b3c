"""How much of each group of rows a dataset should have."""
