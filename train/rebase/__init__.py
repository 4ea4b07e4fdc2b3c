"""`temper rebase`: the same recipe on a new base, and which of both is better."""
