"""The extension: recording in C, on the part of libtracekit that records. Without a compiler the package works as well.

What is compiled of libtracekit stands in ../c in the tree, and in native/libtracekit of a source distribution: it is copied
there before anything is built.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

HERE = Path(__file__).resolve().parent
os.chdir(HERE)
LIBRARY = HERE / "native" / "libtracekit"
OF_LIBRARY = [
    "include/tracekit.h",
    *(f"src/{name}.{kind}" for name in ("clock", "context", "random", "record", "utf8") for kind in "ch"),
    "src/wire.h",
]

if (HERE.parent / "c" / OF_LIBRARY[0]).exists():
    LIBRARY.mkdir(exist_ok=True)
    for path in OF_LIBRARY:
        copy = LIBRARY / Path(path).name
        if not copy.exists() or copy.read_bytes() != (HERE.parent / "c" / path).read_bytes():
            shutil.copyfile(HERE.parent / "c" / path, copy)

# Elsewhere calls into C cost more than they save; without the GIL the module would switch it on.
works = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
core = Extension(
    "tracekit._core",
    sources=["native/core.c", "native/queue.c", "native/server.c", "native/span.c"],
    depends=["native/core.h", *(f"native/libtracekit/{Path(path).name}" for path in OF_LIBRARY)],
    include_dirs=["native/libtracekit"],
    extra_compile_args=["-O2", "-fvisibility=hidden"] if sys.platform != "win32" else [],
    optional=True,
)
setup(ext_modules=[core] if works and LIBRARY.exists() else [])
