"""Running programs that nobody has read: what a model wrote, in a process that can do no harm.

`sandbox.run.run` starts one program under `Limits` and returns what became of it. What each tier of
isolation gives, and what it does not, is said at `sandbox.tiers.Tier`. Nothing is imported here:
the launcher is a module of this package and runs without installed packages.
"""
