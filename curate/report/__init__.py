"""`report.html`: one self-contained page on what became of every row."""
