"""What the Eval screens show, computed without a widget: rows, words, answers and trends."""
