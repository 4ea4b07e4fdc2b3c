"""The commands as Python functions on polars frames, with the same names."""

from __future__ import annotations

from curate.api.accounts import diff as diff
from curate.api.accounts import drop as drop
from curate.api.accounts import dropped as dropped
from curate.api.accounts import edit as edit
from curate.api.accounts import explain as explain
from curate.api.accounts import restore as restore
from curate.api.accounts import stats as stats
from curate.api.accounts import undecide as undecide
from curate.api.amounts import balance as balance
from curate.api.amounts import mix as mix
from curate.api.amounts import select as select
from curate.api.amounts import topics as topics
from curate.api.duplicates import calibrate as calibrate
from curate.api.duplicates import decontaminate as decontaminate
from curate.api.duplicates import dedupe as dedupe
from curate.api.duplicates import semantic_duplicates as semantic_duplicates
from curate.api.fitness import consistency as consistency
from curate.api.fitness import coverage as coverage
from curate.api.making import augment as augment
from curate.api.making import run as run
from curate.api.making import split as split
from curate.api.making import step as step
from curate.api.quality import filter as filter
from curate.api.quality import redact as redact
from curate.api.quality import repair as repair
from curate.api.quality import score as score
from curate.api.reading import Rows as Rows
from curate.api.reading import read as read
