"""Rules of the house that a script can check: sizes of files and lines, and what no tracked file may name."""

import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LINES_MAX = 800
COLUMNS_MAX = 100
# Files over LINES_MAX, each with the reason that it gives in its own essay.
LONG = set()
# Where packages come from is the package clients' business.
HOSTS = re.compile("|".join(name.replace(".", r"\.") for name in (
    "registry.npm" "js.org", "py" "pi.org", "files.python" "hosted.org", "proxy.go" "lang.org", "crates" ".io",
    "repo.maven" ".apache.org", "deb.deb" "ian.org")))
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|localtime|gmtime|asctime|rand)\s*\(")


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in out.decode().split("\0") if name and (ROOT / name).is_file()]


class House(unittest.TestCase):
    def test_no_source_file_is_longer_than_a_reader_bears(self):
        for path in tracked("src", "sdk", "ui", "bench", "tools", "test"):
            if path.suffix in {".c", ".h", ".ts", ".tsx", ".mjs", ".go", ".py"}:
                lines = len(path.read_text(errors="replace").splitlines())
                name = str(path.relative_to(ROOT))
                if name not in LONG:
                    self.assertLessEqual(lines, LINES_MAX, name)

    def test_lines_of_c_fit_a_screen(self):
        for path in tracked("*.c", "*.h"):
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                self.assertLessEqual(len(line), COLUMNS_MAX, f"{path.relative_to(ROOT)}:{number}")

    def test_calls_that_overrun_or_share_state_are_not_used(self):
        for path in tracked("src/*.c", "src/*.h"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                self.assertIsNone(BANNED.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()}")

    def test_a_mistyped_word_of_dev_starts_nothing(self):
        for words in (["up", "--no-exampel"], ["setup", "all"], ["build", "release", "debug"], ["nothing"]):
            done = subprocess.run([ROOT / "dev", *words], cwd="/", capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn(words[-1], done.stderr)

    def test_no_tracked_file_names_a_package_registry(self):
        for path in tracked():
            text = path.read_bytes().decode(errors="replace")
            self.assertIsNone(HOSTS.search(text), path.relative_to(ROOT))


if __name__ == "__main__":
    unittest.main()
