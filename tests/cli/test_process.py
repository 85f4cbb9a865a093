"""Signals and closed pipes: a run ends when told to (tests/system/test_survival.py too), not when its reader leaves."""

import io
import os
import signal
import subprocess
import sys

import pandas as pd
import pytest
from support.shared import config, write

from distcari.cli.process import deaf_to_closed_pipes, drop, ended_by_sigterm

pytestmark = pytest.mark.timeout(300)


def test_output_into_a_closed_pipe_vanishes(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with deaf_to_closed_pipes():
            for _ in range(3):
                print("x" * 100_000, flush=True)
            assert not sys.stdout.isatty() and sys.stdout.encoding
        assert sys.stdout is stream
        stream.flush()


def test_what_was_still_in_the_buffer_is_dropped_too():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        stream.write("x")
        drop(stream)


def test_other_errors_of_a_stream_are_not_hidden(monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    with pytest.raises(ValueError, match="closed"), deaf_to_closed_pipes():
        print("x")


def test_sigterm_interrupts_where_sigint_is_ignored_and_is_as_before_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), ended_by_sigterm():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, ignored)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_run_goes_on_when_its_reader_leaves(work):
    path = write("c.yaml", config(layers=["conv2"]))
    command = [sys.executable, "-m", "distcari.submit", path, "--executor", "serial"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert "4 cells" in run.stdout.readline()
        run.stdout.close()
        said = run.stderr.read()
    assert run.returncode == 0 and "Traceback" not in said and "BrokenPipe" not in said, said
    assert len(pd.read_parquet("store/index")) == 4


def test_a_command_that_only_reads_ends_quietly_when_its_reader_leaves(work):
    path = write("c.yaml", config())
    with subprocess.Popen(
        [sys.executable, "-m", "distcari", "config", "show", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as shown:
        shown.stdout.close()
        said = shown.stderr.read()
    assert shown.returncode == 1 and said == ""
