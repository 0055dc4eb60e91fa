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
        _print(f"[tracekit] {message}\n")
    except Exception:
        pass


def _print(line: str) -> None:
    """Past the buffer of stderr: what a full disk leaves there makes Python end the program with 120."""
    stream = sys.stderr
    if stream is None:  # closed before Python began; print would take stdout, the program's own
        return
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if raw is None:
        print(line, end="", file=stream, flush=True)
    else:
        stream.flush()
        raw.write(line.encode(stream.encoding, "backslashreplace"))


def once(key: str, message: str) -> None:
    """A line that is worth saying once in a process."""
    if key not in _said:
        _said.add(key)
        say(message)


def debug(message: str) -> None:
    if debugging:
        say(message)
