"""The limits that docs/operations.md states are those of the sources."""

import re
import unittest

from test_house import ROOT, tracked

ROW = re.compile(r"\| ([^|]*) \| ([^|]*) \| `([A-Z][A-Z_0-9]+)` \|")


def value_of(name, sources):
    """What the enumerator is in every file that defines it."""
    found = re.findall(rf"\b{name}\s*=\s*([0-9][0-9<* ()x]*)", sources)
    values = {eval(text) for text in found}  # digits, shifts and products only
    return values


class Limits(unittest.TestCase):
    def test_every_limit_is_documented_with_the_value_it_has(self):
        sources = "\n".join(path.read_text() for path in tracked("src/*.c", "src/*.h"))
        rows = ROW.findall((ROOT / "docs/operations.md").read_text())
        self.assertGreater(len(rows), 15)
        for about, stated, name in rows:
            number = int(re.findall(r"\d[\d,]*", stated)[-1 if "at most" in stated else 0].replace(",", ""))
            self.assertIn(number, value_of(name, sources), f"{about}: {name}")


if __name__ == "__main__":
    unittest.main()
