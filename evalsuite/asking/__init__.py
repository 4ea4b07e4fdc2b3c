"""Asking models, at an endpoint or on this machine: never twice, never beyond a budget."""
