"""A recipe as a form, without a screen: its text, its fields, what it would take to run it."""
