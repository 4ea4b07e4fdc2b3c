"""The adapter dial: how strong should what was learnt be, and at which checkpoint?

Between the base and the tuned model lies a path. Points on it and kept checkpoints are measured on
a suite, and one of them can be written out as a model without training again.
"""
