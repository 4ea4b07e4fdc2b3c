"""The measuring instrument: models, tasks, scorers, paired engine, statistics, gate, reports."""
