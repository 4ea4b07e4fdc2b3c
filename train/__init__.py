"""Dataset → run: the plan (pure), the proofs, the trainer, checkpoints and resuming.

The path of the data is `load → plan → prove → fit → write`; `train.run.run_train` is that path.
Nothing here imports torch at module level, except what `train.trl_bridge` pulls in.
"""
