"""The screens; each has its own style sheet beside it."""
