"""The rules of the filter, one a file."""
