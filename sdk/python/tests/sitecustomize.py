"""Imported by every program that a test starts: the end of a program then waits a minute for the server, not three seconds,
so that a machine that stalls fails no test. `IMPATIENT` in the environment leaves it as users have it."""

import os
import sys


class _BeforeExit:
    """Looked up when the SDK imports what ends it."""

    def find_spec(self, name, path=None, target=None):
        if name == "tracekit._exit":
            sys.meta_path.remove(self)
            from tracekit import _client

            _client.EXIT_TIMEOUT = 60.0


if "IMPATIENT" not in os.environ:
    sys.meta_path.insert(0, _BeforeExit())
