"""A disk that fills up: refusals that say when to come back, reading goes on, and nothing acknowledged is lost."""

import os
import unittest
from pathlib import Path

from faults import MEBI, FaultTest, Server, all_traces, eventually, mounted, new_trace_id, parse, request, span

CHUNK = 256 << 10


def filled_body(trace_id, count=4):
    """Spans that no compression makes small."""
    return request(*(span(trace_id, attributes={"fill": os.urandom(CHUNK // count // 2).hex()}) for _ in range(count)))


def small_disk(size_mib):
    return mounted("-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs")


def fill(folder):
    """Takes what is left of the disk, as other programs would."""
    path = Path(folder) / "others"
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return path


class FullDisk(FaultTest):
    @classmethod
    def setUpClass(cls):
        """Each test has a disk and a server of its own."""

    def tearDown(self):
        pass

    def assert_all_there(self, server, kept):
        found = all_traces(server)
        self.assertEqual({trace_id: found.get(trace_id) for trace_id in kept}, dict.fromkeys(kept, 4))

    def assert_refusal(self, answer):
        self.assertIn(answer.status, (429, 503), answer)
        self.assertGreater(int(answer.header("retry-after")), 0)
        self.assertIn(b"full", parse(answer.body)[2][0])

    def send_until_full(self, server):
        """What was acknowledged until HTTP, gRPC and /readyz all say no, each in its own way.

        One alone may say no for an instant only: sealing turns the log into less, and there is room again.
        """
        kept = []
        while True:
            self.assertLess(len(kept), 1000, "the disk never got full")
            by_http, by_grpc = new_trace_id(), new_trace_id()
            answer = server.send_otlp(filled_body(by_http))
            if answer.status == 200:
                kept.append(by_http)
                continue
            self.assert_refusal(answer)
            code, headers, _ = server.export_grpc(filled_body(by_grpc))
            if code == 0:
                kept.append(by_grpc)
                continue
            self.assertIn(code, (8, 14), headers)  # RESOURCE_EXHAUSTED, UNAVAILABLE
            self.assertIn("grpc-status-details-bin", headers)  # RetryInfo
            ready = server.get("/readyz")
            if ready.status == 200:
                continue
            self.assertEqual((ready.status, ready.header("content-type")), (503, "application/problem+json"))
            self.assertIn("full", ready.json["detail"])
            self.assertEqual(server.get("/healthz").status, 200)
            self.assertGreater(server.metric("store_appends_refused_total"), 0)
            return kept

    def test_on_48_mebibytes_the_server_fills_the_disk_refuses_and_keeps_all_it_took(self):
        with small_disk(48) as disk:
            server = Server(data=disk)
            kept = self.send_until_full(server)
            self.assertGreater(len(kept) * CHUNK, 12 * MEBI, "a good part of the disk is of use")
            self.assert_all_there(server, kept)
            server.kill()
            server = Server(data=disk)
            self.assert_all_there(server, kept)
            server.stop()

    def test_on_8_mebibytes_the_server_works_too(self):
        with small_disk(8) as disk:
            server = Server(data=disk)
            kept = self.send_until_full(server)
            self.assertGreater(len(kept), 0)
            self.assert_all_there(server, kept)
            server.stop()
            server = Server(data=disk)
            self.assert_all_there(server, kept)
            server.stop()

    def test_a_disk_that_others_fill_is_refused_on_and_taken_again_when_there_is_room(self):
        with small_disk(48) as disk:
            server = Server(data=disk)
            before = new_trace_id()
            self.assertEqual(server.send_otlp(filled_body(before)).status, 200)
            others = fill(disk)
            refused = new_trace_id()
            self.assert_refusal(server.send_otlp(filled_body(refused)))
            self.assertEqual(self.send_until_full(server), [])
            self.assert_all_there(server, [before])
            self.assertEqual(server.span_count(refused), 0, "what was refused is not half there")
            others.unlink()
            eventually("ready again", lambda: server.get("/readyz").status == 200)
            eventually("spans are taken again", lambda: server.send_otlp(filled_body(refused)).status == 200)
            self.assert_all_there(server, [before, refused])
            server.kill()
            server = Server(data=disk)
            self.assert_all_there(server, [before, refused])
            server.stop()

    def test_a_disk_that_is_full_from_the_start_is_said_and_read_from_where_it_can_be(self):
        with small_disk(8) as disk:
            server = Server(data=disk)
            kept = self.send_until_full(server)
            server.stop()
            fill(disk)
            try:
                server = Server(data=disk)
            except RuntimeError as error:
                self.assertRegex(str(error), "No space|full")
            else:
                self.assert_all_there(server, kept)
                self.assertEqual(server.get("/readyz").status, 503)
                server.stop()


if __name__ == "__main__":
    unittest.main()
