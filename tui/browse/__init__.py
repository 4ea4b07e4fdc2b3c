"""Rows of data for the screens: opened, indexed, sorted, filtered and searched outside widgets."""
