"""Parts of bench/eval.py."""
