"""A process in the place of a worker: it speaks the channel, and does what the file in its second argument says.

`fails`: it ends before it serves; `deaf`: it doesn't end when it is told to; `silent`: it answers no
question; anything else: it serves until it is told to end. What it was told stands in the file with `.told` behind.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path

place, file, channel = int(sys.argv[1]), Path(sys.argv[2]), socket.socket(fileno=int(sys.argv[3]))
manner = file.read_text()
told = file.with_suffix(".told")


def note(what: str) -> None:
    with told.open("a") as opened:
        opened.write(f"{place} {os.getpid()} {what}\n")


def send(message: object) -> None:
    channel.sendall(json.dumps(message).encode() + b"\n")


def counted(number: object) -> dict[str, object]:
    row = {"kind": "counter", "name": "hunyuan_test_stood_in_total", "help": "Once.", "labels": [], "values": [[[], 1]]}
    return {"kind": "snapshot", "number": number, "metrics": [row], "checks": {"en": []}, "status": {}, "not_ready": ""}


def end(*_: object) -> None:
    note("ends")
    os._exit(0)


if manner == "fails":
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
note("serves")
send({"kind": "ready", "place": place})
data = b""
while part := channel.recv(1 << 16):
    data += part
    *lines, data = data.split(b"\n")
    for line in lines:
        asked = json.loads(line)
        match asked["kind"]:
            case "snapshot" if manner != "silent":
                send(counted(asked["number"]))
            case "key":
                send({"kind": "key", "key": {"said": f"worker {place}"}})
            case "end" | "end now":
                note(asked["kind"])
                if manner != "deaf":
                    end()
            case "retire" if manner != "deaf":
                send(counted(0))
                note("handed over")
                sys.exit(0)
note("supervisor is gone")
