"""What a run begins with that is not a base as it was downloaded: an earlier run's result."""

from train.beginning.find import START, Beginning, begun_with, find_beginning, resolved_name
from train.beginning.start import settle

__all__ = ["START", "Beginning", "begun_with", "find_beginning", "resolved_name", "settle"]
