"""A data directory that cannot be used: said with its name, exit status 5, nothing on stdout."""

import subprocess
import unittest
from pathlib import Path

from faults import BINARY, DEADLINE_S, Server, environment, folder, mounted, new_trace_id, request, span


def serve(data):
    return subprocess.run([BINARY, "serve", "--data", str(data), "--listen", "127.0.0.1:0"], capture_output=True,
                          text=True, timeout=DEADLINE_S, env=environment(), check=False)


class Directory(unittest.TestCase):
    def assert_cannot_start(self, data, named):
        done = serve(data)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn(str(named), done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertNotIn("TRACEKIT_API_KEY", done.stderr)

    def test_a_read_only_file_system(self):
        with mounted("-t", "tmpfs", "-o", "ro,size=1m", "tmpfs") as path:
            self.assert_cannot_start(path, path)
            self.assert_cannot_start(Path(path) / "data", path)

    def test_a_file_in_the_way_of_the_directory_or_of_one_in_it(self):
        with folder() as path:
            data = Path(path) / "data"
            data.write_text("")
            self.assert_cannot_start(data, data)
            data.unlink()
            data.mkdir()
            (data / "log").write_text("")
            self.assert_cannot_start(data, data / "log")
            (data / "log").unlink()
            (data / "accounts.db").mkdir()
            self.assert_cannot_start(data, data / "accounts.db")

    def test_accounts_that_are_no_database(self):
        with folder() as path:
            accounts = Path(path) / "accounts.db"
            accounts.write_bytes(b"this is no database" * 1000)
            self.assert_cannot_start(path, accounts)

    def test_a_log_that_cannot_be_made_refuses_spans_until_it_can(self):
        with folder() as path:
            kept, late = new_trace_id(), new_trace_id()
            server = Server(data=path)
            self.assertEqual(server.send_otlp(request(span(kept))).status, 200)
            server.stop()
            server = Server(data=path)
            self.addCleanup(server.stop)
            log = Path(path) / "log"
            log.rmdir()
            log.write_text("")
            answer = server.send_otlp(request(span(late)))
            self.assertIn(answer.status, (429, 503))
            self.assertGreater(int(answer.header("retry-after")), 0)
            self.assertEqual((server.span_count(kept), server.span_count(late)), (1, 0))
            log.unlink()
            log.mkdir()
            self.assertEqual(server.send_otlp(request(span(late))).status, 200)
            self.assertEqual((server.span_count(kept), server.span_count(late)), (1, 1))



if __name__ == "__main__":
    unittest.main()
