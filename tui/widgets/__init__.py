"""Small drawn parts of the screens."""
