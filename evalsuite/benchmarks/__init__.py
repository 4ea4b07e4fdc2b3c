"""Public benchmarks by name, through lm_eval (extra `bench`). Nothing else imports lm_eval.

`section` and `names` import none of it; `tasks` turns a task of lm_eval into items, `asking` puts
it to a loaded model. What lm_eval answers is never kept: its cache is keyed by the question alone
and has given the base the tuned model's answers (its issue 4063).
"""
