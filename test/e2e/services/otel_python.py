"""A service on OpenTelemetry's own Python SDK: GET /work makes a server span, calls NEXT_URL with a client span below it,
and passes W3C context on as OpenTelemetry does. Exports over PROTOCOL (http or grpc) to TRACEKIT_ENDPOINT."""

import json
import os
import signal
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

ENDPOINT = os.environ["TRACEKIT_ENDPOINT"]
KEY = os.environ["TRACEKIT_API_KEY"]


def exporter():
    if os.environ.get("PROTOCOL") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        return OTLPSpanExporter(endpoint=ENDPOINT, insecure=True, headers={"x-api-key": KEY})
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    return OTLPSpanExporter(endpoint=f"{ENDPOINT}/v1/traces", headers={"x-api-key": KEY})


provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("SERVICE_NAME", "otel-python")}))
provider.add_span_processor(BatchSpanProcessor(exporter(), schedule_delay_millis=100))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("otel-python", "1.0.0")


def call_next(url):
    with tracer.start_as_current_span("call next", kind=trace.SpanKind.CLIENT):
        headers = {}
        propagate.inject(headers)
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as response:
            return json.load(response)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        parent = propagate.extract({name.lower(): value for name, value in self.headers.items()})
        with tracer.start_as_current_span("GET /work", context=parent, kind=trace.SpanKind.SERVER) as span:
            span.set_attribute("order.id", "42")
            span.set_attribute("numbers", [1, 2, 3])
            next_url = os.environ.get("NEXT_URL")
            answer = {"service": "otel-python", "next": call_next(next_url) if next_url else None}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def stop(*_):
    provider.shutdown()
    sys.stdout.flush()
    os._exit(0)


signal.signal(signal.SIGTERM, stop)
server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), Handler)
print(f"ready http://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
