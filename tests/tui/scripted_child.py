"""Stands in for `temper chat --json`: says what the question tells it to."""

import json
import os
import sys
import threading

stopped = set()
waiting = []
arrived = threading.Condition()


def read() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        with arrived:
            if "stop" in request:
                stopped.add(request["stop"])
            else:
                waiting.append(request)
            arrived.notify()
    os._exit(0)


def say(**event: object) -> None:
    print(json.dumps(event), flush=True)


def answer(request: dict) -> None:
    number, asked = request["id"], request["sides"][0][-1]["content"]
    turns = len([turn for turn in request["sides"][1] if turn["role"] == "assistant"])
    if asked == "die":
        say(kind="text", id=number, side=0, text="I was about to")
        print("out of memory", file=sys.stderr, flush=True)
        os.kill(os.getpid(), 9)
    if asked == "fail":
        say(kind="error", id=number, title="it is too long", cause="It has 9 tokens.", cure="Cut.")
        return
    texts = [f"the left says {asked}", f"the right says {asked} after {turns} turns"]
    if asked == "hostile":
        texts = ["\x1b[2J[red]x[/red] \u202e\n漢字👩‍👩‍👧\t!", "\x00" * 3]
    if asked == "long":
        texts = ["word " * 200_000, "x" * 1_000_000]
    if asked.startswith("settings"):
        told = {key: value for key, value in request.items() if key not in ("id", "sides")}
        texts = [json.dumps(told, sort_keys=True), request["sides"][1][0]["content"]]
    for side, text in enumerate(texts):
        say(kind="text", id=number, side=side, text=text)
    if asked == "slow":
        with arrived:
            arrived.wait_for(lambda: number in stopped)
    finish = "stopped" if number in stopped else "stop"
    for side in (0, 1):
        say(kind="end", id=number, side=side, finish=finish, tokens=7, seconds=0.5)
    say(kind="done", id=number)


threading.Thread(target=read, daemon=True).start()
print("Working on cpu: as told.", file=sys.stderr, flush=True)
if "refused" in sys.argv:
    print("error: there is no run called 'refused'", file=sys.stderr, flush=True)
    sys.exit(2)
say(kind="ready", models=["left", "right"], notes=[])
while True:
    with arrived:
        arrived.wait_for(lambda: waiting)
        request = waiting.pop(0)
    answer(request)
