"""Files of raw rows → rows of one shape: opening, decoding, recognising, normalising.

`read.read_sources` is the whole path. A row that cannot be used is never lost: it is quarantined
with a reason, its file and its line.
"""
