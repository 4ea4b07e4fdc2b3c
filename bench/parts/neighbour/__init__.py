"""Parts of `eval_neighbours_truths.py`."""
