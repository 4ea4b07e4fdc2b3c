"""The ground floor: recipes, directories, jobs, events, GPU locks, secrets.

Nothing here imports torch or polars, so that every command starts fast and anything above may
use it.
"""
