"""The terminal app, and the `temper` command that mounts each package's own commands."""
