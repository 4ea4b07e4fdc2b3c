"""Rows as vectors: where they come from, what lies near what, and topics."""
