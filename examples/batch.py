"""Raw chats → train, validation and test rows, in Python:  python batch.py 'raw/*.jsonl' OUT"""

import sys
from pathlib import Path

import curate

rows = curate.repair(curate.read(sys.argv[1]).frame).kept
rows = curate.filter(curate.redact(rows).kept, preset="chat").kept
rows = curate.dedupe(rows, threshold=0.8).kept
rows = curate.decontaminate(rows, suites=["builtin:retention"]).kept
Path(sys.argv[2]).mkdir()
for name, part in curate.split(rows, validation=0.05, test=0.05).items():
    part.sink_parquet(Path(sys.argv[2]) / f"{name}.parquet")
