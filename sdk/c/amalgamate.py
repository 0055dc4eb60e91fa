"""Writes the library as one source file and one header, to be dropped into a program: amalgamate.py FOLDER

    cc -c tracekit.c                                      a plain socket, no compression
    cc -c tracekit.c -DTRACEKIT_WITH_CURL -DTRACEKIT_WITH_ZLIB    then link -lcurl -lz; always -pthread -lm
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = ["utf8", "random", "clock", "log", "url", "config", "context", "record", "retry", "tracer", "queue", "span", "http",
           "transport", "transport_curl", "exporter"]
OWN = re.compile(r'^#include "(.*)"\n', re.M)


def flattened(path, seen):
    """The file with the library's own headers in the place of their first inclusion."""
    def header(match):
        name = match.group(1)
        if name in seen:
            return ""
        seen.add(name)
        return flattened(HERE / "src" / name, seen)
    return OWN.sub(header, path.read_text().replace("#include <tracekit.h>", '#include "tracekit.h"'))


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    unlisted = {path.stem for path in (HERE / "src").glob("*.c")} - set(SOURCES)
    if unlisted:
        sys.exit(f"amalgamate.py does not list {', '.join(sorted(unlisted))}")
    seen = {"tracekit.h"}
    parts = ["/* libtracekit in one file, made by amalgamate.py: tracekit.h says how it is used. Apache-2.0. */\n"
             "#ifndef _GNU_SOURCE\n#define _GNU_SOURCE\n#endif\n"]
    for name in SOURCES:
        parts.append(f"\n/* ==== {name}.c ==== */\n\n" + flattened(HERE / "src" / f"{name}.c", seen))
    text = "".join(parts).replace('#include "tracekit.h"\n', "")
    text = text.replace("#endif\n", '#endif\n#include "tracekit.h"\n', 1)
    (folder / "tracekit.c").write_text(text)
    (folder / "tracekit.h").write_text((HERE / "include" / "tracekit.h").read_text())


if __name__ == "__main__":
    main()
