"""Is a lost ability gone, or is it only answered in another form?

An ability that failed is asked again in ways that leave the form of the answer to nobody: with a
solved example, with the beginning of the answer given, as a choice by likelihood, and its answers
are read again for the right one among other words. `ways.py` makes the questions, `cases.py` asks
them, `judgement.py` says what follows.
"""
