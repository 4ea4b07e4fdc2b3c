#!/bin/sh
# Raw chats → train, validation and test rows, by the shell:  sh batch.sh 'raw/*.jsonl' OUT
set -eu
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
temper curate repair "$1" -o "$work/1.parquet"
temper curate redact "$work/1.parquet" -o "$work/2.parquet"
temper curate filter "$work/2.parquet" --preset chat -o "$work/3.parquet"
temper curate dedupe "$work/3.parquet" --threshold 0.8 -o "$work/4.parquet"
temper curate decontaminate "$work/4.parquet" --suite builtin:retention -o "$work/5.parquet"
temper curate split "$work/5.parquet" --validation 5% --test 5% -o "$2"
