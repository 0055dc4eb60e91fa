"""./dev bench on a small store: it runs to its end, and the answers that it times are right."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@unittest.skipIf((os.cpu_count() or 1) < 2, "load and server need a core each")
class Bench(unittest.TestCase):
    def measure(self, *args):
        done = subprocess.run([sys.executable, ROOT / "bench" / "run.py", *args], capture_output=True, text=True,
                              timeout=500)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| ")]
        return {row[1].strip(): row[2].strip() for row in rows}

    def test_what_comes_in_is_measured_to_its_end(self):
        figures = self.measure("ingest", "--spans", "5K", "--runs", "1")
        for way in ("HTTP", "gRPC"):
            for what in ("spans/s acknowledged", "CPU us/span, stored, sealed and compacted", "bytes/span on disk"):
                self.assertGreater(float(figures[f"5K {way}: {what}"]), 0)

    def test_questions_are_answered_and_right_of_a_kept_store_too(self):
        holder = tempfile.TemporaryDirectory(prefix="tracekit-bench-")
        self.addCleanup(holder.cleanup)
        asked = ("queries", "--spans", "20K", "--store", holder.name + "/store")
        self.assertIn("20K store: spans/s while filling", self.measure(*asked))
        figures = self.measure(*asked)
        self.assertNotIn("20K store: spans/s while filling", figures)
        for question in ("trace by id", "trace by id, cold", "absent id", "search, absent value",
                         "search, rare value (12 traces)", "search, unique value", "search, common value, newest 20"):
            self.assertGreater(float(figures[f"20K store: {question}: p99 ms"]), 0)

    def test_a_measurement_that_does_not_exist_is_said(self):
        done = subprocess.run([sys.executable, ROOT / "bench" / "run.py", "ingets"], capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("ingets: choose from", done.stderr)


if __name__ == "__main__":
    unittest.main()
