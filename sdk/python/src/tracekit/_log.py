"""What the SDK says to whoever runs the program: to the logger `tracekit` where logging is set up, else to stderr."""

from __future__ import annotations

import sys

debugging = False
_said: set[str] = set()


def say(message: str) -> None:
    """One line. Never raises: a closed stderr is no reason to fail."""
    try:
        logging = sys.modules.get("logging")  # importing it would cost every program
        if logging is not None:
            logger = logging.getLogger("tracekit")
            if logger.hasHandlers():
                logger.warning("%s", message)
                return
        print(f"[tracekit] {message}", file=sys.stderr, flush=True)
    except Exception:
        pass


def once(key: str, message: str) -> None:
    """A line that is worth saying once in a process."""
    if key not in _said:
        _said.add(key)
        say(message)


def debug(message: str) -> None:
    if debugging:
        say(message)
