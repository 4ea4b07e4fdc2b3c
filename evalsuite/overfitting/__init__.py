"""Did it learn, or did it memorise? Both models on the rows that training saw and on fresh ones.

`evidence.py` reads what a run recorded of its data; `rows.py` draws rows and tokenises them as
training did; `sweep.py` reads them with a model, teacher-forced; `figures.py` compares, by the
formulas of `evalsuite.stats`; `judgement.py` says it in words; `panel.py` does all of it in turn.
"""
