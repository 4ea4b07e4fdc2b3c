"""Which rows represent all of them."""
