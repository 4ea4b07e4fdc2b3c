"""Tasks: what is asked. A suite's YAML and data files become items ready to be asked."""

from evalsuite.tasks.item import Item, Message, content_digest
from evalsuite.tasks.schema import FewShot, Suite, Task
from evalsuite.tasks.suites import LoadedSuite, LoadedTask, find_suite, load_suite, read_suite

__all__ = [
    "FewShot",
    "Item",
    "LoadedSuite",
    "LoadedTask",
    "Message",
    "Suite",
    "Task",
    "content_digest",
    "find_suite",
    "load_suite",
    "read_suite",
]
