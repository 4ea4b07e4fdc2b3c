"""Runs tests against a solution that may cheat. Copied into the sandbox; standard library only.

The solution runs in a process of its own, forked before the tests are read. The tests call its
functions through a pipe that carries plain data alone. What the solution prints, patches, overrides
or exits from can therefore not make a test pass: only the values it returns can.
"""

from __future__ import annotations

import builtins
import ctypes
import importlib
import json
import os
import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_VERDICT = 3
_LONGEST = 4_000_000
"""Bytes of one message."""
_SHOWN = 300
_PR_SET_DUMPABLE = 4
_CONTAINERS: dict[str, Any] = {"tuple": tuple, "set": set, "frozenset": frozenset}
_MAPPINGS: dict[str, Any] = {
    "dict": dict,
    "defaultdict": dict,  # what it makes of a missing key is the solution's
    "Counter": Counter,
    "OrderedDict": OrderedDict,
}


class NotPlain(TypeError):
    """A value that does not go through the pipe."""


def pack(value: Any, keep: Any = None) -> Any:
    """Return a value as JSON-able data; `keep` numbers an object that cannot be copied."""
    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int:  # in decimal, Python refuses more than 4,300 digits
        return {"t": "int", "v": hex(value)}
    if type(value) is float:
        return {"t": "float", "v": repr(value)}
    if type(value) is complex:
        return {"t": "complex", "v": [repr(value.real), repr(value.imag)]}
    if type(value) is bytes:
        return {"t": "bytes", "v": value.hex()}
    if type(value) is list:
        return [pack(one, keep) for one in value]
    if type(value) in (dict, defaultdict, Counter, OrderedDict):
        name = type(value).__name__
        return {"t": name, "v": [[pack(k, keep), pack(v, keep)] for k, v in value.items()]}
    if type(value).__name__ in _CONTAINERS and type(value) is _CONTAINERS[type(value).__name__]:
        return {"t": type(value).__name__, "v": [pack(one, keep) for one in value]}
    if keep is not None:
        return {"t": "object", "v": keep(value), "n": type(value).__name__}
    raise NotPlain(f"{type(value).__name__} cannot be given to the solution")


def unpack(data: Any, remote: Any = None) -> Any:
    """Return what `pack` was given."""
    if isinstance(data, list):
        return [unpack(one, remote) for one in data]
    if not isinstance(data, dict):
        return data
    kind, value = data["t"], data["v"]
    if kind == "int":
        return int(value, 16)
    if kind == "float":
        return float(value)
    if kind == "complex":
        return complex(float(value[0]), float(value[1]))
    if kind == "bytes":
        return bytes.fromhex(value)
    if kind in _MAPPINGS:
        return _MAPPINGS[kind]({unpack(k, remote): unpack(v, remote) for k, v in value})
    if kind in _CONTAINERS:
        return _CONTAINERS[kind](unpack(one, remote) for one in value)
    if kind == "object":
        return remote(int(value), str(data["n"]))
    raise NotPlain(f"{str(kind)[:20]} is not known")


class Channel:
    """Messages of one line each, over two pipes."""

    def __init__(self, read: int, write: int) -> None:
        self._in, self._out = os.fdopen(read, "rb"), os.fdopen(write, "wb")

    def send(self, message: Any) -> None:
        """Send one message."""
        self._out.write(json.dumps(message).encode() + b"\n")
        self._out.flush()

    def receive(self) -> Any:
        """Return the next message, or None at the end."""
        line = self._in.readline(_LONGEST)
        if not line.endswith(b"\n"):
            return None
        return json.loads(line)


# --- the solution's side -------------------------------------------------------------------------


def serve(channel: Channel, source: str) -> None:
    """Run the solution and answer calls of what it defines, until there are no more."""
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        exec(compile(source, "solution.py", "exec"), names)
    except BaseException as error:
        channel.send({"failed": _said(error)})
        return
    objects: list[Any] = []

    def keep(value: Any) -> int:
        objects.append(value)
        return len(objects) - 1

    shown = {name: pack(value, keep) for name, value in names.items() if not _is_module(value)}
    modules = {name: value.__name__ for name, value in names.items() if _is_module(value)}
    channel.send({"names": shown, "modules": modules})
    while (asked := channel.receive()) is not None:
        try:
            channel.send(_answer(asked, objects, keep))
        except BaseException as error:
            channel.send({"raised": type(error).__name__, "said": _said(error)})


def _is_module(value: Any) -> bool:
    return type(value) is type(sys)


def _answer(asked: Any, objects: list[Any], keep: Any) -> Any:
    target = objects[asked["of"]]
    if "attribute" in asked:
        return {"value": pack(getattr(target, asked["attribute"]), keep)}
    here = objects.__getitem__
    given = [unpack(one, lambda number, name: here(number)) for one in asked["given"]]
    named = {k: unpack(v, lambda number, name: here(number)) for k, v in asked["named"].items()}
    value = target(*given, **named)
    if hasattr(value, "__next__"):  # a generator is what it yields
        value = list(value)
    return {"value": pack(value, keep), "given": [pack(one, keep) for one in given]}


# --- the tests' side -----------------------------------------------------------------------------


class Remote:
    """Something that the solution defines or returned: it can be called and has attributes."""

    def __init__(
        self, channel: Channel, number: int, name: str, *, has_attributes: bool = True
    ) -> None:
        self._channel, self._number, self._name = channel, number, name
        self._has_attributes = has_attributes

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Call it there; lists and dictionaries that it changes are changed here."""
        asked = {
            "of": self._number,
            "given": [pack(one, _number) for one in given],
            "named": {name: pack(one, _number) for name, one in named.items()},
        }
        told = self._ask(asked)
        for one, after in zip(given, told.get("given", ()), strict=False):
            self._change(one, unpack(after, self._other))
        return unpack(told["value"], self._other)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute's value."""
        if name.startswith("__") or not self._has_attributes:
            raise AttributeError(name)
        told = self._ask({"of": self._number, "attribute": name})
        return unpack(told["value"], self._other)

    def __repr__(self) -> str:
        """Return what it is."""
        return f"<{self._name} of the solution>"

    def _other(self, number: int, name: str) -> Remote:
        return Remote(self._channel, number, name)

    def _change(self, one: Any, after: Any) -> None:
        if type(one) is not type(after):
            return
        if type(one) is list:
            one[:] = after
        elif isinstance(one, dict | set):
            one.clear()
            one.update(after)

    def _ask(self, asked: Any) -> Any:
        self._channel.send(asked)
        told = self._channel.receive()
        if told is None:
            raise SystemError("the solution's process has ended")
        if "raised" in told:
            kind = getattr(builtins, str(told["raised"]), RuntimeError)
            fits = isinstance(kind, type) and issubclass(kind, Exception)
            raise (kind if fits else RuntimeError)(str(told["said"]))
        return told


def _number(value: Any) -> int:
    if isinstance(value, Remote):
        return value._number
    raise NotPlain(f"{type(value).__name__} cannot be given to the solution")


def check(channel: Channel, setup: str, tests: list[str]) -> Iterator[tuple[bool, str]]:
    """Run each test and yield whether it passed, and why not."""
    told = channel.receive()
    if told is None or "failed" in told:
        why = str(told["failed"]) if told else "the solution ended its process"
        yield from [(False, why)] * len(tests)
        return
    for test in tests:
        try:
            names = _names(channel, told)
            exec(compile(f"{setup}\n{test}", "tests.py", "exec"), names)
        except BaseException as error:
            yield False, f"{test.strip()[:80]}: {_said(error)}"
        else:
            yield True, ""


def _names(channel: Channel, told: Any) -> dict[str, Any]:
    """Return what tests see: what the solution defines, but nothing that hides Python's own.

    What has the name of a module of the standard library can be called and has no attributes: a
    class named `math` must not answer for `math.isclose`.
    """
    names: dict[str, Any] = {"__name__": "tests"}
    for name, value in told["names"].items():
        if not name.startswith("__") and not hasattr(builtins, name):
            names[name] = unpack(value, _maker(channel, name not in sys.stdlib_module_names))
    for name, module in told["modules"].items():  # tests may lean on the solution's imports
        if module.partition(".")[0] in sys.stdlib_module_names and not hasattr(builtins, name):
            names[name] = importlib.import_module(module)
    return names


def _maker(channel: Channel, has_attributes: bool) -> Callable[[int, str], Remote]:
    def make(number: int, kind: str) -> Remote:
        return Remote(channel, number, kind, has_attributes=has_attributes)

    return make


def _said(error: BaseException) -> str:
    """Return an error as text; the error's own class may be hostile."""
    try:
        return f"{type(error).__name__}: {error}"[:_SHOWN]
    except BaseException:
        return "an error that cannot be shown"


def main() -> None:
    """Fork the solution, then read the tests, and write the verdict."""
    if sys.platform == "linux":  # what the solution may not read: the tests and the verdict's file
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    source = (Path(__file__).resolve().parent / "solution.py").read_text(encoding="utf-8")
    (there, answers), (calls, here) = os.pipe(), os.pipe()
    if os.fork() == 0:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        for one in (_VERDICT, there, here, nothing):
            os.close(one)
        try:
            serve(Channel(calls, answers), source)
        finally:
            os._exit(0)
    os.close(answers)
    os.close(calls)
    asked = json.load(sys.stdin)
    found = list(check(Channel(there, here), asked["setup"], asked["tests"]))
    with os.fdopen(_VERDICT, "w") as stream:
        json.dump({"passed": [ok for ok, _ in found], "said": [said for _, said in found]}, stream)
    os._exit(0)


if __name__ == "__main__":
    main()
