"""A fork copies the forking thread alone, and every lock as it is held by the others.

Python's import system is one of them: a child forked while the exporter's thread imports http.client could never import it.
So forks wait for that import, some milliseconds once.
"""

from __future__ import annotations

import os
from _thread import allocate_lock

importing = allocate_lock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=importing.acquire, after_in_parent=importing.release, after_in_child=importing.release)
