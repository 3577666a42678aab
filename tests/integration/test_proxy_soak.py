"""
A long day of the proxy: everything that clients and origins do, right and wrong, over and over.

C{pytest --soak 500000 --timeout 0 -s tests/integration/test_proxy_soak.py} is a longer one, and shows its
figures.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.integration.crowd import Crowd
from tests.integration.measured import Origin, awake, descriptors, resident
from tests.integration.processes import Twistd, eventually

CLIENTS = 32
#: MiB by which the memory may differ between a quarter of the way and its end: less than 1 KiB a request.
MARGIN = 12.0


@pytest.mark.timeout(600)
def test_aLongDay(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Every answer is right, memory is flat after the first quarter, and no descriptor stays open."""
    requests: int = pytestconfig.getoption("--soak")
    with Twistd(tmp_path, "labnet-proxy", "--listen", "tcp:0", "--connect-port", "any") as running:
        port, process = running.port("proxy"), running.process.pid
        awake(running, port)
        before, memory = descriptors(process), [resident(process)]
        with Origin() as origin:
            crowd = Crowd(port, origin.host.encode(), seed=requests)
            for _ in range(4):
                asyncio.run(crowd.ask(requests // 4, CLIENTS))
                memory.append(resident(process))
                assert crowd.wrong == []
            assert "Traceback" not in origin.text
        print(f"{dict(crowd.asked)}; MiB at the start and after each quarter: {memory}")
        # The origin is gone, and with it the connections that were kept for it.
        eventually(lambda: descriptors(process) == before, "all descriptors are closed")
        assert max(memory[2:]) - memory[1] < MARGIN
