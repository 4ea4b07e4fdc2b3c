"""Logs of any size: read by offset, searched and filtered in a thread, never whole in memory."""
