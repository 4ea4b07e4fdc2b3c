"""What `bench/tui.py` measures with: a workspace to look at, and programs in pseudo-terminals."""
