"""The process that compares mathematics; `python -P -m evalsuite.scorers.maths_worker`.

sympy can take for ever, or all memory, on what a model writes, and math-verify's own time limit is
an alarm signal, which works in a main thread only and is not heard within one long computation. So
it works here, where the one who asks can end it.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
from typing import Any

_MEMORY_BYTES = 4 * 1024**3


def main() -> None:
    """Answer one line of JSON with one line, until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    from math_verify import parse, verify

    for line in sys.stdin:
        answers.write(json.dumps(_answer(json.loads(line), parse, verify)) + "\n")
        answers.flush()


def _answer(asked: dict[str, Any], parse: Any, verify: Any) -> dict[str, Any]:
    try:
        gold = parse(asked["gold"], parsing_timeout=None)
        if "output" not in asked:
            return {"readable": bool(gold)}
        found = parse(asked["output"], parsing_timeout=None)
        same = verify(gold, found, float_rounding=asked["rounding"], timeout_seconds=None)
    except Exception as error:  # whatever sympy makes of it, it is not the answer
        return {"failed": f"{type(error).__name__}: {error}"[:200]}
    return {"readable": bool(gold), "found": bool(found), "same": bool(same)}


if __name__ == "__main__":
    main()
