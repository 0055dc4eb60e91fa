"""The floors of src/: a file may include what lies below its floor, never what is above or beside it."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SRC = ROOT / "src"

# floor of each folder, and which library headers may be named there (ARCHITECTURE.md has the same table)
FLOORS = {"base": 0, "trace": 1, "wire": 2, "net": 2, "store": 3, "account": 3, "query": 4, "doctor": 4, "api": 5,
          "bench": 5, "cli": 6}
# The file of spans knows nothing of the store that it is part of.
BELOW = {"store/segment": "store/embedded"}
# net knows nothing of spans: it stands on base alone. bench loads any receiver: it knows no store.
ONLY = {"net": {"base"}, "account": {"base"}, "trace": {"base"}, "doctor": {"base"}, "bench": {"base", "trace", "wire"}}
LIBRARIES = {
    r"uv\.h": {"net"},
    r"llhttp\.h": {"net"},
    r"nghttp2/": {"net", "bench"},
    r"openssl/": {"net", "account"},
    r"curl/": {"net"},
    r"libdeflate\.h": {"wire", "store", "api"},
    r"zstd\.h": {"wire", "store"},
    r"sqlite3\.h": {"account"},
    r"xxhash\.h": {"base"},
    r"pcre2\.h": {"query", "doctor"},
    r"tree_sitter/": {"doctor"},
    r"expat\.h": {"doctor"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)


def folder_of(path):
    return path.split("/")[0]


def violations(including, text):
    """What `text`, a file of the folder `including`, includes against the rules."""
    for own, system in INCLUDE.findall(text):
        if own:
            target = folder_of(own)
            if "/" not in own:
                yield f'"{own}": name the folder'
            elif target not in FLOORS:
                yield f'"{own}": no such floor'
            elif target != including and FLOORS[target] >= FLOORS[including]:
                yield f'"{own}": {target} is not below {including}'
            elif target != including and including in ONLY and target not in ONLY[including]:
                yield f'"{own}": {including} may use {", ".join(sorted(ONLY[including]))} only'
        for pattern, allowed in LIBRARIES.items():
            if system and re.match(pattern, system) and including not in allowed:
                yield f"<{system}>: belongs to {', '.join(sorted(allowed))}"


class Floors(unittest.TestCase):
    def test_nothing_includes_what_lies_above_or_beside_it(self):
        found = []
        files = sorted(SRC.rglob("*.[ch]"))
        self.assertGreater(len(files), 20)
        for path in files:
            folder = folder_of(str(path.relative_to(SRC)))
            self.assertIn(folder, FLOORS, f"{path}: a folder without a floor")
            found += [f"{path.relative_to(ROOT)}: {why}" for why in violations(folder, path.read_text())]
        self.assertEqual(found, [])

    def test_a_part_of_a_floor_that_stands_below_another_does_not_include_it(self):
        for folder, above in BELOW.items():
            files = sorted((SRC / folder).glob("*.[ch]"))
            self.assertGreater(len(files), 10)
            found = [f"{path.name}: {own}" for path in files for own, _ in INCLUDE.findall(path.read_text())
                     if own.startswith(above + "/")]
            self.assertEqual(found, [])

    def test_a_floor_skipped_upwards_is_found(self):
        self.assertEqual(list(violations("net", '#include "trace/batch.h"')),
                         ['"trace/batch.h": net may use base only'])
        self.assertEqual(list(violations("wire", '#include "store/store.h"')),
                         ['"store/store.h": store is not below wire'])
        self.assertEqual(list(violations("store", '#include "account/account.h"')),
                         ['"account/account.h": account is not below store'])
        self.assertEqual(list(violations("api", "#include <uv.h>")), ["<uv.h>: belongs to net"])
        self.assertEqual(list(violations("api", '#include "query/traceql.h"\n#include <stdio.h>')), [])


if __name__ == "__main__":
    unittest.main()
