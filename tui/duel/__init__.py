"""Blind duels: two models, hidden names, votes on disk. Without the terminal library."""
