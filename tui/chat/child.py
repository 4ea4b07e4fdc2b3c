"""The process that holds the models: `temper chat --json` behind pipes.

Torch is loaded there and never here. It ends when its standard input does, so it cannot outlive
the app however the app ends.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from workspace.text import plain

IDLE_SECONDS = 900
"""Models that nobody asks for so long give their memory back; the next question loads them."""
_KEPT_LINES = 12

Event = dict[str, Any]


def arguments(left: str, right: str) -> list[str]:
    """Return the arguments of `temper` that open this pair behind pipes."""
    return ["chat", right, left, "--json", "--idle", str(IDLE_SECONDS)]


def program(arguments_: Sequence[str]) -> list[str]:
    """Return the whole command line of a child."""
    return [sys.executable, "-P", "-m", "tui", *arguments_]


class Child:
    """One such process, from its start to its end.

    Everything it says is delivered from a thread, as the events that `train.chat.lines` describes
    and two more: `note` (a line it wrote to standard error) and at last `ended` (`code`, `said`).
    """

    def __init__(
        self, left: str, right: str, directory: Path, deliver: Callable[[Child, Event], object]
    ) -> None:
        """Start the process, in a thread."""
        self.is_ready = False
        """Whether the models are loaded."""
        self._argv = program(arguments(left, right))
        self._directory = directory
        self.deliver = deliver
        """Who is told; another screen may take the process over."""
        self._outbox: queue.Queue[Event | None] = queue.Queue()
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        threading.Thread(target=self._run, name="chat", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """Its process id, once it was started."""
        return self._process.pid if self._process is not None else None

    def send(self, **request: Any) -> None:
        """Send a request; never waits."""
        self._outbox.put(request)

    def close(self) -> None:
        """End it; nothing more is delivered."""
        with self._lock:
            self._is_closed = True
            self._outbox.put(None)
            if self._process is not None:
                with suppress(OSError):
                    self._process.terminate()

    def _run(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            try:
                self._process = subprocess.Popen(
                    self._argv,
                    cwd=self._directory,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                    env={**os.environ, "PYTHONSAFEPATH": "1"},
                )
            except OSError as error:
                self._tell({"kind": "ended", "code": -1, "said": str(error)})
                return
        with self._process as process:
            threads = [
                threading.Thread(target=work, args=(process,), daemon=True)
                for work in (self._write, self._listen)
            ]
            for thread in threads:
                thread.start()
            self._read(process)
            code = process.wait()
            self._outbox.put(None)
            for thread in threads:
                thread.join(2.0)
        self._tell({"kind": "ended", "code": code, "said": "\n".join(self._said)})

    def _tell(self, event: Event) -> None:
        if not self._is_closed:
            self.deliver(self, event)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # torn by a kill
            if isinstance(event, dict) and isinstance(event.get("kind"), str):
                self.is_ready = self.is_ready or event["kind"] == "ready"
                self._tell(event)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            text = plain(line.decode("utf-8", "replace").rstrip(), limit=500)
            if text:
                self._said.append(text)
                self._tell({"kind": "note", "text": text})

    def _write(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        with suppress(OSError, ValueError):  # it is gone: its end is told by who reads
            while (request := self._outbox.get()) is not None:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            process.stdin.close()
