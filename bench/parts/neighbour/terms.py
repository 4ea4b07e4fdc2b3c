"""The head of the result file: the rule fixed before the run, and what each tool was given."""

TERMS = """\
# FineTuneCheck and ours on models whose truth is known

```
python -P bench/eval_neighbours_truths.py NEIGHBOUR/bin/python
```

The models are made of the built-in one by `tests/evalsuite/known_truth/truths.py`. They are our own
tests: ours was built to name them rightly, and FineTuneCheck was not. So this table says which
notions a tool has, not how often either errs on models that neither has seen.

## The rule

Fixed before FineTuneCheck was asked, in code (`bench/parts/neighbour/cases.py`), and one for both:

{rule}

Who lets a model pass: ours with the status `pass`; FineTuneCheck with a verdict for which its
`--exit-code` is zero (EXCELLENT, GOOD, GOOD_WITH_CONCERNS). An ability has regressed if ours fails
it, or FineTuneCheck lists it as most affected; it is called forgotten unless ours says that it is
still there (`format`, `hidden`). Words of (a), (b) and (f) are sought in everything that a tool
says: verdict, summary, pattern, concerns, recommendations and errors of its deep analysis. Where
FineTuneCheck is not right and no line of its source has a word of that kind, the table says "no
such check" in place of "wrong".

## What FineTuneCheck was given

{versions}; CPU, float32, one thread, no network; each run through its Python API.

- **our items**: `EvalConfig` with the same 60 items of each of six abilities that ours is asked, as
  custom probes with its `exact_match` judge, and as target the rows held out from the task that the
  model was trained on, with its token F1. Its deep analysis is on. `max_tokens` is 64. The weight
  of safety in its ROI is 0, its own setting, because the model has no safety to measure and no
  verdict but a bad one can be reached without; all else is its default.
- **items and learned rows**, for (a) and (b): the same, and the rows that the model may know by
  heart (planted ones, or all) as a second target, since ours reads what a run recorded of its data.
  The mark counts what it says in either run.
- **quick**: `QuickConfig`, its own ten questions each of math, classification, instructions and
  safety, as they are; the base is asked once. The model of two million weights cannot answer most
  of them.
- Probes that need a language model as judge are left out: there is none without a network.

It reads models by transformers 4, which has not the tokenizer class that ours, written by
transformers 5, names. So it gets copies: `tokenizer_config.json` names `PreTrainedTokenizerFast`,
`additional_special_tokens` and the inputs that the model takes, and `config.json` says
`torch_dtype` for `dtype` and `rope_theta` for `rope_parameters`. Weights, vocabulary, template and
generation settings are the same files. The last table shows whether both then count the same of the
base.

## What to mind

- Besides what they should be named, (a) and (b) did forget, and a tool may refuse them for that;
  the mark is for the cause. FineTuneCheck scores learned rows that a person hands it as one more
  target: whoever puts both targets side by side can see the gap, but it says nothing of it.
- (d): its `exact_match` leaves out a leading "Answer:" and punctuation, so it counts more answers
  as right than our first count does. Ours then asks again in other ways: it begins the answer for
  the model, and lets it choose by likelihood.
- (f) is (e) with other words before its template. FineTuneCheck's deep analysis holds the tuned
  model's template against the base's; ours holds it against the one that training recorded. The
  deep analysis is off unless asked for, and the verdict does not heed it. Of a LoRA adapter it
  reads the base's template (`create_backend`, `load_for_analysis`; read in its source, not run).
"""
