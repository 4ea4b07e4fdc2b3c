"""Programs against tests: right ones pass, wrong ones fail, and cheats gain nothing."""

from __future__ import annotations

import json
import os
import time

import pytest

from evalsuite.sandbox.limits import Limits
from evalsuite.sandbox.tiers import Tier, best_tier
from evalsuite.scorers.code import CodeScorer, program_of
from evalsuite.scorers.code_tests import NotTests, read_tests
from evalsuite.tasks import Item

BEST, _ = best_tier()
SCORER = CodeScorer(
    limits=Limits(wall_seconds=5, cpu_seconds=1),
    isolation="namespaces" if BEST is Tier.NAMESPACES else "limits",
)
ADD = json.dumps(
    {
        "tests": ["assert add(1, 2) == 3", "assert add(-1, 1) == 0"],
        "solution": "def add(a, b):\n    return a + b",
    }
)


def scored(program: str, gold: str = ADD, scorer: CodeScorer = SCORER) -> float:
    """Return a program's score."""
    return scorer.score(program, Item("one", gold=gold)).value


def test_a_right_program_passes_bare_or_in_a_fence() -> None:
    assert scored("def add(a, b): return a + b") == 1
    assert scored("Sure!\n```python\ndef add(a, b):\n    return b + a\n```\nDone.") == 1
    assert scored("```\nx\n```\nno:\n```py\ndef add(a, b): return a + b") == 1  # cut at the end


def test_a_wrong_program_fails_and_says_where() -> None:
    found = SCORER.score("def add(a, b): return 3", Item("one", gold=ADD))

    assert found.value == 0
    assert found.detail == "1 of 2 tests failed: assert add(-1, 1) == 0: AssertionError: "
    half = SCORER.model_copy(update={"partial": True})
    assert scored("def add(a, b): return 3", scorer=half) == 0.5


CHEATS = {
    "leaves early": "import sys; sys.exit(0)",
    "leaves early, hard": "import os; os._exit(0)",
    "leaves when called": "import os\ndef add(a, b): os._exit(0)",
    "prints what a verdict looks like": (
        "import os\nfor number in range(1, 9):\n    try: os.write(number, "
        'b\'{"passed": [true, true], "said": ["", ""]}\')\n    except OSError: pass\nos._exit(0)'
    ),
    "equals everything": (
        "class Any:\n    def __eq__(self, other): return True\n"
        "    def __hash__(self): return 0\ndef add(a, b): return Any()"
    ),
    "a number that equals everything": (
        "class Any(int):\n    def __eq__(self, other): return True\ndef add(a, b): return Any(9)"
    ),
    "patches the assertion's error": (
        "import builtins\nclass Never(Exception): pass\nbuiltins.AssertionError = Never\n"
        "AssertionError = Never\ndef add(a, b): return 9"
    ),
    "reads the tests from its frames": (
        "import sys, gc\ndef add(a, b):\n    frame = sys._getframe()\n    while frame:\n"
        "        for value in frame.f_locals.values():\n"
        "            if isinstance(value, str) and 'assert' + ' add(' in value: return 3\n"
        "        frame = frame.f_back\n    return 9"
    ),
    "reads the tests from its input": (
        "import sys, os\nheld = sys.stdin.read() + open('/code/harness.py').read()[:0]\n"
        "def add(a, b): return {(1, 2): 3, (-1, 1): 0}[a, b] if 'assert' in held else 9"
    ),
    "kills the tests": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "never ends": "def add(a, b):\n    while True: pass",
    "answers with more than can be read": "def add(a, b): return 'x' * 10**7",
    "nests too deep": (
        "def add(a, b):\n    held = []\n    for _ in range(100000): held = [held]\n    return held"
    ),
    "raises what cannot be shown": (
        "class Bad(BaseException):\n    def __str__(self): raise self\ndef add(a, b): raise Bad()"
    ),
    "is no program": "I would add the two numbers.",
    "is nothing": "",
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_does_not_pass(name: str) -> None:
    assert scored(CHEATS[name], scorer=SCORER.model_copy(update={"partial": True})) == 0


def test_python_s_own_functions_cannot_be_replaced_in_the_tests() -> None:
    gold = json.dumps(["assert abs(f(2) - 4) < 1e-6", "assert all(f(n) == n * n for n in [3, 4])"])
    cheat = "def f(x): return 0\ndef abs(x): return 0\ndef all(x): return True"

    assert scored(cheat, gold) == 0
    assert scored("def f(x): return x * x", gold) == 1


def test_the_verdict_cannot_be_written_where_many_files_are_open() -> None:
    """The verdict's file then has a number that is not closed with the low ones."""
    cheat = (
        "import os, signal\nfor number in range(4, 4096):\n    try: os.write(number, "
        'b\'{"passed": [true, true], "said": ["", ""]}\')\n    except OSError: pass\n'
        "os.kill(os.getppid(), signal.SIGKILL)"
    )
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(300)]
    try:
        assert scored(cheat) == 0
        wrote = "import os\ndef add(a, b):\n    return [n for n in range(4, 4096) if is_file(n)]\n"
        wrote += (
            "def is_file(n):\n    try: return os.fstat(n).st_mode >> 12 == 8\n"
            "    except OSError: return False"
        )
        assert scored(wrote, json.dumps(["assert add(1, 2) == []"])) == 1
    finally:
        for one in held:
            os.close(one)


def test_a_verdict_counts_only_where_its_writer_ended_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from evalsuite.sandbox.run import Outcome
    from evalsuite.scorers import code

    written = '{"passed": [true, true], "said": ["", ""]}'
    for ended, number, score in (("exit", 0, 1), ("exit", 1, 0), ("signal", 9, 0)):
        outcome = Outcome(ended, number, "", "", written)
        monkeypatch.setattr(code, "run", lambda *_, outcome=outcome: outcome)
        assert scored("x = 1") == score


@pytest.mark.parametrize(
    "cheat",
    [
        "class math: isclose = staticmethod(lambda *a, **k: True)",
        "class function: isclose = staticmethod(lambda *a, **k: True)\nmath = function()",
        "def math(): pass\nmath.isclose = lambda *a, **k: True",
    ],
)
def test_modules_of_the_standard_library_cannot_be_replaced_in_the_tests(cheat: str) -> None:
    gold = json.dumps(["assert math.isclose(half(1), 0.5)"])

    assert scored(f"{cheat}\ndef half(x): return 7.0", gold) == 0
    assert scored("import math\ndef half(x): return x / 2", gold) == 1
    bisect = "def bisect(ones, x): return sum(one <= x for one in ones)\ncode = 5"
    assert scored(bisect, json.dumps(["assert bisect([1, 2], 1) == 1 and code == 5"])) == 1


def test_memory_of_the_tests_cannot_be_read() -> None:
    """ptrace of the process that holds the tests is refused."""
    if BEST is not Tier.NAMESPACES:
        pytest.skip("a root user may always do so")
    cheat = (
        "import ctypes, os\n"
        "done = ctypes.CDLL(None, use_errno=True).ptrace(16, os.getppid(), 0, 0)\n"
        "def attached(): return done"
    )
    assert scored(cheat, json.dumps(["assert attached() == -1"])) == 1


def test_values_of_every_plain_kind_go_both_ways() -> None:
    values = "[None, True, 1, -0.0, 1e300, 2+3j, 'é', b'x', [1], (1, 2), {1: 'a'}, {2}, set()]"
    gold = json.dumps(
        [
            f"assert same({values}) == {values}",
            "assert [type(one) for one in same((1, 2.0, (3,)))] == [int, float, tuple]",
            "assert same(frozenset({1})) == frozenset({1})",
            "assert same(10 ** 6000) == 10 ** 6000",
            "assert same(float('inf')) == float('inf') and same(float('nan')) != 0",
        ]
    )
    assert scored("def same(x): return x", gold) == 1


def test_dictionaries_of_the_standard_library_are_values() -> None:
    program = """
from collections import Counter, OrderedDict, defaultdict
def count(text): return Counter(text)
def places(text):
    found = defaultdict(list)
    for place, one in enumerate(text): found[one].append(place)
    return found
def ordered(text): return OrderedDict((one, 1) for one in text)
class Latest(OrderedDict):
    def put(self, key): self[key] = 1
    def newest(self): return next(reversed(self))
def latest(): return Latest()
"""
    gold = json.dumps(
        [
            "assert count('aab') == {'a': 2, 'b': 1}",
            "assert count('aab').most_common(1) == [('a', 2)]",
            "assert places('aba') == {'a': [0, 2], 'b': [1]}",
            "assert list(ordered('ba')) == ['b', 'a'] and ordered('ba') == {'a': 1, 'b': 1}",
            "held = latest(); held.put('x'); held.put('y'); assert held.newest() == 'y'",
        ]
    )
    found = SCORER.score(program, Item("one", gold=gold))
    assert (found.value, found.detail) == (1.0, "")


def test_lists_changed_in_place_generators_and_classes_are_understood() -> None:
    program = """
class Stack:
    def __init__(self): self.held = []
    def push(self, one): self.held.append(one)
    def pop(self): return self.held.pop()
def double(ones): ones[:] = [2 * one for one in ones]
def count(n): yield from range(n)
def size(stack): return len(stack.held)
def fail(): raise KeyError("no")
LIMIT = 5
"""
    gold = json.dumps(
        [
            "ones = [1, 2]; double(ones); assert ones == [2, 4]",
            "assert list(count(3)) == [0, 1, 2] and LIMIT == 5",
            "stack = Stack(); stack.push(1); stack.push(2); assert stack.pop() == 2",
            "stack = Stack(); stack.push('x'); assert size(stack) == 1 and stack.held == ['x']",
            "try:\n    fail()\n    assert False\nexcept KeyError:\n    pass",
        ]
    )
    found = SCORER.score(program, Item("one", gold=gold))
    assert (found.value, found.detail) == (1.0, "")


def test_setup_and_tests_of_one_text_run_as_they_are_written() -> None:
    gold = "def check(candidate):\n    assert candidate(2) == 4\n\ncheck(square)\n"
    assert scored("def square(x): return x * x", gold) == 1
    assert scored("def square(x): return x + 3", gold) == 0
    setup = json.dumps({"setup": "import math", "tests": ["assert f(1) == math.sqrt(1)"]})
    assert scored("def f(x): return 1.0", setup) == 1
    leans = json.dumps(["assert f(4) == math.sqrt(4)"])
    assert scored("import math\ndef f(x): return math.sqrt(x)", leans) == 1


def test_programs_that_read_and_print_are_compared_outside() -> None:
    gold = json.dumps([{"input": "2 3\n", "output": "5\n"}, {"input": "0 0\n", "output": "0"}])
    right = "a, b = map(int, input().split())\nprint(a + b)"

    assert scored(right, gold) == 1
    assert scored("print(5)", gold) == 0
    assert scored(right + "\nimport sys; sys.exit(1)", gold) == 0
    half = SCORER.model_copy(update={"partial": True})
    assert scored("print(5)", gold, half) == 0.5


def test_gold_without_tests_is_refused() -> None:
    assert SCORER.refusal(ADD) is None
    assert SCORER.right_answer(ADD) == "def add(a, b):\n    return a + b"
    assert SCORER.right_answer("assert f() == 1") is None
    for gold, said in {
        "": "no tests",
        "[]": "no tests",
        '["def ("]': "not Python",
        "assert (": "not Python",
        '{"tests": ["a"], "answers": 1}': "answers",
        '[{"input": "1"}]': "unknown form",
        "[1]": "unknown form",
    }.items():
        assert said in (SCORER.refusal(gold) or "")
    with pytest.raises(NotTests):
        read_tests("  ")


def test_the_program_of_an_answer_is_its_last_block() -> None:
    assert program_of("no block") == "no block"
    assert program_of("```python\na\n```\n```python\nb\n```") == "b"
    assert program_of("``` python3 \nc\n```") == "c"


def test_a_long_run_of_spaces_is_read_at_once() -> None:
    answer = "```" + " " * 100_000 + "x"  # twenty seconds and more where spaces are split two ways
    started = time.process_time()
    assert program_of(answer) == answer
    assert time.process_time() - started < 1
