"""The short form of `make chaos`: some kills and faults over a real grid on a cluster of two nodes."""

import pytest
from system.chaos.chaos_run import ChaosRun

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def test_kills_lose_nothing_double_nothing_and_change_no_bit(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    chaos = ChaosRun(tmp_path_factory.mktemp("chaos") / "x", seed=7)
    try:
        report = chaos.run(kills=8)
    finally:
        chaos.close()
    print(report)
    assert sum(report.kills.values()) >= 8 and report.grids >= 1
    assert not report.findings, str(report)
