"""More items only for undecided abilities: which are asked when, and asking them.

The rule that makes looking again honest is in `evalsuite/stats/spending.py`.
"""
