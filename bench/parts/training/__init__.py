"""Parts of bench/train.py and bench/plan_memory.py."""
