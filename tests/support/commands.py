"""Commands as a user types them."""

import contextlib
import io
import subprocess
import sys

from distcari.cli.main import main


def run(command, *arguments):
    """`distcari COMMAND …` in this process, without the seconds that imports take; its exit code, and what it said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main([command, *map(str, arguments)])
    return code, said.getvalue()


def submit(*arguments):
    """`distcari submit …` in a process of its own, by the name that is promised to users."""
    done = subprocess.run(
        [sys.executable, "-m", "distcari.submit", *map(str, arguments)], capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def serially(*arguments):
    """`distcari submit … --executor serial` in this process: for what is not about Ray, a tenth of the time."""
    return run("submit", *arguments, "--executor", "serial")
