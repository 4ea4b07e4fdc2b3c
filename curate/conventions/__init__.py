"""Conventions that answers keep: which there are, who keeps them, who departs."""
