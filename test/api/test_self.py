"""What the server says of itself: health, metrics, openapi.json, the page."""

import base64
import gzip
import hashlib
import re
import subprocess
import sys
import unittest

from harness import ROOT, WithServer, json_request, new_trace_id, request, span

# Of a page that has nothing within it; {} is for the hashes of what it has.
CSP = ("default-src 'none'; script-src 'self'{}; style-src 'self'{}; img-src 'self' data:; connect-src 'self'; "
       "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")


def policy_of(page):
    """What is inline in the page is allowed by its hash, and nothing else that is."""
    hashes = lambda tag: "".join(
        f" 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in re.findall(f"<{tag}>(.*?)</{tag}>", page, re.S))
    return CSP.format(hashes("script"), hashes("style"))


def read_metrics(text):
    """Prometheus' text format 0.0.4 as {name: (type, {labels: value})}; strict: HELP, TYPE, samples, each once."""
    metrics, name, described = {}, None, None
    if not text.endswith("\n"):
        raise AssertionError("the last line has no end")
    for line in text.splitlines():
        if found := re.fullmatch(r"# HELP ([a-z_:][a-z0-9_:]*) (\S.*\S)", line):
            described = found[1]
        elif found := re.fullmatch(r"# TYPE (\S+) (counter|gauge|histogram|summary)", line):
            name = found[1]
            if name != described or name in metrics:
                raise AssertionError(line)
            metrics[name] = (found[2], {})
        elif found := re.fullmatch(r'(\w+)(?:\{((?:[a-z_]+="[^"\\\n]*",?)+)\})? (\d+(?:\.\d+)?(?:e[+-]\d+)?)', line):
            if found[1] != name or found[2] in metrics[name][1]:
                raise AssertionError(line)
            metrics[name][1][found[2]] = float(found[3])
        else:
            raise AssertionError(line)
    return metrics


class Health(WithServer):
    dev = False

    def test_alive_and_ready(self):
        for path in ("/healthz", "/readyz"):
            self.assertEqual(self.server.get(path).status, 200)
            self.assertEqual(self.server.ask("HEAD", path).status, 200)

    def test_metrics_are_prometheus_text_with_help_and_type(self):
        answer = self.server.get("/metrics")
        self.assertTrue(answer.header("content-type").startswith("text/plain; version=0.0.4"))
        metrics = read_metrics(answer.body.decode())
        self.assertGreater(len(metrics), 30)
        for name, (kind, samples) in metrics.items():
            self.assertTrue(name.startswith("tracekit_"), name)
            self.assertEqual(kind == "counter", name.endswith("_total"), name)
            for labels, value in samples.items():
                self.assertGreaterEqual(value, 0, (name, labels))

    def test_every_metric_is_documented_and_no_other(self):
        text = (ROOT / "docs/operations.md").read_text()
        table = text[text.index("| metric"):]
        documented = {name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)[`{]", line.split("|")[1])}
        served = {name.removeprefix("tracekit_") for name in read_metrics(self.server.get("/metrics").body.decode())}
        self.assertEqual(documented, served)


class Counting(WithServer):
    def value(self, name):
        return float(re.search(rf"^{name} (\S+)$", self.server.get("/metrics").body.decode(), re.M)[1])

    def test_accepted_and_rejected_spans_are_counted(self):
        accepted, rejected = self.value("tracekit_spans_accepted_total"), self.value("tracekit_spans_rejected_total")
        self.server.send_otlp(request(span(new_trace_id()), span(new_trace_id()), span("00" * 16)))
        self.assertEqual(self.value("tracekit_spans_accepted_total") - accepted, 2)
        self.assertEqual(self.value("tracekit_spans_rejected_total") - rejected, 1)


class OpenApi(WithServer):
    def setUp(self):
        self.api = self.server.get("/api/v1/openapi.json").json

    def test_every_route_of_the_table_is_described(self):
        source = (ROOT / "src/api/routes.c").read_text()
        table = set(re.findall(r'^    \{"([A-Z]+)",\s+"(/[^"]*)"', source, re.M))
        described = {(method.upper(), path) for path, methods in self.api["paths"].items() for method in methods}
        self.assertGreater(len(table), 20)
        self.assertEqual(described, table)

    def test_every_route_that_is_described_is_there(self):
        for path, methods in self.api["paths"].items():
            real = re.sub(r"\{\w+\}", "0", path)
            answer = self.server.ask("PUT", real)  # no route has it
            self.assertEqual(answer.status, 405, path)
            for method in methods:
                self.assertIn(method.upper(), answer.header("allow"))

    def test_every_reference_leads_somewhere(self):
        schemas = self.api["components"]["schemas"]
        references = set(re.findall(r"#/components/schemas/(\w+)", str(self.api)))
        self.assertLessEqual(references, set(schemas))

    def check(self, value, schema, where):
        """Enough of JSON Schema for what we describe."""
        if "$ref" in schema:
            schema = self.api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        for part in schema.get("allOf", []):
            part = self.api["components"]["schemas"][part["$ref"].rsplit("/", 1)[1]]
            schema = {**part, **schema, "properties": {**part["properties"], **schema["properties"]},
                      "required": part["required"] + schema["required"]}
        if value is None:
            self.assertTrue(schema.get("nullable"), where)
            return
        types = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "number": (int, float)}
        if "type" in schema:
            self.assertIsInstance(value, types[schema["type"]], where)
        if "enum" in schema:
            self.assertIn(value, schema["enum"], where)
        if "pattern" in schema:
            self.assertRegex(value, schema["pattern"], where)
        for name in schema.get("required", []):
            self.assertIn(name, value, where)
        known = schema.get("properties")
        if known is not None:
            self.assertLessEqual(set(value), set(known), f"{where}: members that are not described")
            for name, inner in value.items():
                self.check(inner, known[name], f"{where}.{name}")
        for index, item in enumerate(value if isinstance(value, list) else []):
            self.check(item, schema.get("items", {}), f"{where}[{index}]")

    def test_answers_look_as_described(self):
        trace_id = new_trace_id()
        self.server.send_otlp(json_request(trace_id, attributes=[
            {"key": "order.id", "value": {"intValue": "42"}}], events=[
            {"timeUnixNano": "1700000000000000001", "name": "hit"}]), "application/json")
        made = self.server.send_json("POST", "/api/v1/keys", {"project": "default", "kind": "read"})
        self.check(made.json, self.schema("/api/v1/keys", "post", "201"), "POST /api/v1/keys")
        made = self.server.send_json("POST", "/api/v1/projects", {"name": "shop"})  # as the service
        self.check(made.json, self.schema("/api/v1/projects", "post", "201"), "POST /api/v1/projects")
        for path, methods in self.api["paths"].items():
            kinds = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
            if "application/json" not in kinds:
                continue
            span_id = self.server.trace(trace_id).json["spans"][0]["spanId"]
            real = path.format(traceId=trace_id, spanId=span_id, name="shop", key="order.id")
            if path.endswith("/compare"):
                real += f"?first={trace_id}&second={trace_id}"
            answer = self.server.get(real)
            self.assertEqual(answer.status, 200, (real, answer))
            self.check(answer.json, kinds["application/json"]["schema"], real)

    def schema(self, path, method, status):
        return self.api["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]

    def test_docs_api_md_is_up_to_date(self):
        done = subprocess.run([sys.executable, str(ROOT / "tools/docs.py"), "--server", self.server.url, "--check"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Page(WithServer):
    dev = False

    def test_it_is_served_at_every_address_of_its_own(self):
        bodies = set()
        for path in ("/", "/traces", "/traces/4bf92f3577b34da6a3ce929d0e0e4736", "/settings", "/services/shop"):
            answer = self.server.get(path, accept="text/html,application/xhtml+xml")
            self.assertEqual((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"))
            self.assertEqual(answer.header("content-security-policy"), policy_of(answer.body.decode()))
            self.assertEqual(answer.header("x-content-type-options"), "nosniff")
            self.assertEqual(answer.header("referrer-policy"), "no-referrer")
            self.assertEqual(answer.header("cross-origin-opener-policy"), "same-origin")
            self.assertEqual(answer.header("cache-control"), "no-cache")
            bodies.add(answer.body)
        bodies.add(self.server.get("/").body)
        self.assertEqual(len(bodies), 1)

    def test_its_own_addresses_answer_who_takes_anything_and_others_do_not(self):
        for path in ("/traces", "/traces/4bf92f3577b34da6a3ce929d0e0e4736", "/services/shop", "/map", "/doctor",
                     "/compare", "/tags", "/settings"):
            for accept in (None, "*/*"):
                answer = self.server.get(path, **({"accept": accept} if accept else {}))
                self.assertEqual((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"))
        self.assertEqual(self.server.get("/nothing", accept="*/*").status, 404)

    def test_the_documents_are_pages_of_their_own(self):
        for path, title in (("/docs", "documents"), ("/docs/distributed-tracing", "Distributed tracing from zero"),
                            ("/docs/troubleshooting/cors", "CORS errors"), ("/docs/sdk/node", "@tracekit/node"),
                            ("/docs/", "documents"), ("/docs/doctor/", "tracekit doctor")):
            answer = self.server.get(path, accept="text/html")
            self.assertEqual((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"))
            self.assertEqual(answer.header("content-security-policy"), CSP.format("", ""))
            self.assertIn(title, answer.body.decode())
            self.assertIn("<h1", answer.body.decode())

    def assets(self):
        page = self.server.get("/", accept="text/html").body.decode()
        return re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)

    def test_its_files_are_packed_for_who_takes_gzip_and_kept_for_ever(self):
        self.assertGreater(len(self.assets()), 1)
        for path in self.assets():
            plain = self.server.get(path)
            packed = self.server.get(path, accept_encoding="br, gzip;q=0.8")
            self.assertEqual((plain.status, packed.status), (200, 200))
            self.assertIsNone(plain.header("content-encoding"))
            self.assertEqual(packed.header("content-encoding"), "gzip")
            self.assertEqual(gzip.decompress(packed.body), plain.body)
            self.assertIn("immutable", packed.header("cache-control"))
            self.assertIn("Accept-Encoding", packed.header("vary"))
            refused = self.server.get(path, accept_encoding="gzip;q=0")
            self.assertIsNone(refused.header("content-encoding"))

    def test_what_has_not_changed_is_not_sent_again(self):
        for path in ["/", *self.assets()]:
            etag = self.server.get(path, accept="text/html").header("etag")
            answer = self.server.get(path, accept="text/html", if_none_match=etag)
            self.assertEqual((answer.status, answer.body), (304, b""))

    def test_the_api_never_answers_with_the_page(self):
        for path in ("/api/v1/nothing", "/v1/nothing", "/assets/nothing.js", "/api/v3/traces"):
            answer = self.server.get(path, accept="text/html")
            self.assertEqual(answer.status, 404, path)
        self.assertEqual(self.server.get("/traces", accept="application/json").status, 404)
        self.assertEqual(self.server.ask("POST", "/traces", b"", {"Accept": "text/html"}).status, 404)


if __name__ == "__main__":
    unittest.main()
