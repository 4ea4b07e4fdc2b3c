"""Synthetic augmentation: new rows from a model or a rule, each checked, paid for once, traced.

The path of a row: `deficits` say what is missing → a generator of `generators/` makes drafts,
asking models through a `desk` that logs every paid answer before anyone sees it → `verify` and
`novelty` refuse drafts with a reason → `publishing` writes a dataset like any other.
"""
