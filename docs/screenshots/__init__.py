"""What `docs/screenshot.py` draws: the pictures, the keys that lead to them, and a workspace."""
