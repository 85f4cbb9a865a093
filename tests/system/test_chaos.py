"""The short form of `make chaos`: about twenty kills and faults over a real grid on a cluster of two nodes."""

import pytest
from system.chaos.rampage import Rampage

pytestmark = pytest.mark.timeout(600)


def test_twenty_kills_lose_nothing_double_nothing_and_change_no_bit(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    rampage = Rampage(tmp_path_factory.mktemp("chaos") / "x", seed=7)
    try:
        report = rampage.run(kills=20)
    finally:
        rampage.close()
    print(report)
    assert sum(report.kills.values()) >= 20 and report.grids >= 1
    assert not report.findings, str(report)
