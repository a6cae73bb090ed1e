"""The entry point of the command line: it handles Ctrl-C before anything else is imported."""

import os
import signal
import sys


def main() -> None:
    """Run the command line; exit codes are those of `seqcast.cli.main.main`."""
    try:
        # A slow machine takes a moment for this import, in which Ctrl-C may come too.
        from seqcast.runtime import hear_interrupts

        with hear_interrupts():
            try:
                from seqcast.cli.main import main as run

                run()
            finally:
                # The work is done, and the end of the process takes a moment.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        os.write(2, b"Interrupted; nothing half-written is left.\n")
        sys.exit(128 + signal.SIGINT)  # `EXIT_CODE`, which may not be imported yet


if __name__ == "__main__":
    main()
