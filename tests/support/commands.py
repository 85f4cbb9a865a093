"""Commands as a user types them, in processes of their own."""

import subprocess
import sys


def submit(*arguments, module="distcari.submit"):
    done = subprocess.run([sys.executable, "-m", module, *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr
