"""What a run begins with that is not a base as it was downloaded: an earlier run's result.

`find` imports no numpy, so that commands that only look start fast; `start` does the work.
"""

from train.beginning.find import START, Beginning, begun_with, find_beginning, resolved_name

__all__ = ["START", "Beginning", "begun_with", "find_beginning", "resolved_name"]
