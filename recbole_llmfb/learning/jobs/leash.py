"""`python -m recbole_llmfb.learning.jobs.leash PARENT COMMAND...`: become a command that the kernel kills when its parent dies.

A worker that is killed cannot end its training any more; the training would go on without a lease, beside the one that takes its
place. Linux only; elsewhere the next worker on the machine ends it.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """arguments: the parent's process id, and the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != int(arguments[0]):  # it died before the kernel knew
            sys.exit(1)
    try:
        os.execvp(arguments[1], arguments[1:])
    except OSError as error:
        sys.exit(f"{arguments[1]} cannot be run ({error.strerror})")


if __name__ == "__main__":
    main(sys.argv[1:])
