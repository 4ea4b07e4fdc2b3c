"""`temper serve`: a run and its base behind OpenAI's interface, on this machine alone.

Importing this package imports no torch.
"""
