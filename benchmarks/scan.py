"""
All 65,535 ports of the loopback interface: C{labnet scan} beside C{nmap -sT -p-}.

    python benchmarks/scan.py [--rounds N]

Both are whole processes, from start to end, in turns, so that whatever else the machine does meets both.
The last line is the ratio of the medians, nmap's time to ours: 1 or more is as fast as nmap. Without
anything else's ports on the machine: C{unshare --net sh -c 'ip link set lo up; python benchmarks/scan.py'}.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from statistics import median

HOST = "127.0.0.1"
OURS = [sys.executable, "-m", "labnet", "scan", "--json", HOST, "-"]
NMAP = ["nmap", "-sT", "-p-", "-n", "-oG", "-", HOST]
LISTENERS = 20


def measured(command: list[str]) -> tuple[float, str]:
    """Seconds and output of one process."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - began, done.stdout


def foundByUs(output: str) -> set[int]:
    return {row["port"] for row in json.loads(output)["hosts"][0]["open"]}


def foundByNmap(output: str) -> set[int]:
    return {int(port) for port in re.findall(r"(\d+)/open/", output)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    if shutil.which("nmap") is None:
        sys.exit("nmap is not installed")
    listeners = [socket.create_server((HOST, 0)) for _ in range(LISTENERS)]
    known = {listener.getsockname()[1] for listener in listeners}
    ours: list[float] = []
    nmaps: list[float] = []
    for number in range(rounds):
        for command, times, found in ((OURS, ours, foundByUs), (NMAP, nmaps, foundByNmap)):
            seconds, output = measured(command)
            times.append(seconds)
            missing = known - found(output)
            if missing:
                sys.exit(f"{command[0]} has not found {sorted(missing)}")
        print(f"round {number + 1}: labnet {ours[-1]:.2f} s, nmap {nmaps[-1]:.2f} s", flush=True)
    print(f"median: labnet {median(ours):.2f} s, nmap {median(nmaps):.2f} s")
    print(f"ratio {median(nmaps) / median(ours):.2f}")


if __name__ == "__main__":
    main()
