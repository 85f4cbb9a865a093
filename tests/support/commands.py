"""Commands as a user types them, in processes of their own."""

import subprocess
import sys


def run(command, *arguments):
    """`distcari COMMAND …`; its exit code, and what it said on both streams."""
    done = subprocess.run(
        [sys.executable, "-m", "distcari", command, *map(str, arguments)], capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def submit(*arguments):
    """`distcari submit …`, by the name that is promised to users."""
    done = subprocess.run(
        [sys.executable, "-m", "distcari.submit", *map(str, arguments)], capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def serially(*arguments):
    """`distcari submit … --executor serial`: for what is not about Ray, a third of the time."""
    return submit(*arguments, "--executor", "serial")
