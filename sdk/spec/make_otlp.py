"""Fills the expected bodies of otlp.json from its abstract spans.

Run after editing a span there: `python3 make_otlp.py`, with the package opentelemetry-proto
installed. The official protobuf classes make the bytes, so no SDK is measured by itself.
"""

import json
import pathlib

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
STATUS = {"UNSET": 0, "OK": 1, "ERROR": 2}
HAS_IS_REMOTE, IS_REMOTE = 0x100, 0x200
SAMPLED, RANDOM = 1, 2


def any_value(value):
    (kind, plain), = value.items()
    if kind == "array":
        return {"arrayValue": {"values": [any_value(item) for item in plain]}}
    return {kind + "Value": plain}


def attributes(pairs):
    return [{"key": key, "value": any_value(value)} for key, value in pairs]


def flags(span):
    bits = HAS_IS_REMOTE | SAMPLED
    bits |= IS_REMOTE if span.get("parentIsRemote") else 0
    return bits | (RANDOM if span.get("random") else 0)


def otlp_span(span):
    """One span in OTLP's JSON, members that hold their default value left out."""
    out = {"traceId": span["traceId"], "spanId": span["spanId"]}
    for name in ("traceState", "parentSpanId"):
        if name in span:
            out[name] = span[name]
    out["flags"] = flags(span)
    out["name"] = span["name"]
    out["kind"] = KINDS[span["kind"]]
    out["startTimeUnixNano"] = span["startTimeUnixNano"]
    out["endTimeUnixNano"] = span["endTimeUnixNano"]
    if span.get("attributes"):
        out["attributes"] = attributes(span["attributes"])
    if span.get("droppedAttributesCount"):
        out["droppedAttributesCount"] = span["droppedAttributesCount"]
    if span.get("events"):
        out["events"] = [otlp_event(event) for event in span["events"]]
    if span.get("droppedEventsCount"):
        out["droppedEventsCount"] = span["droppedEventsCount"]
    status = span.get("status", {"code": "UNSET"})
    if status["code"] != "UNSET":
        out["status"] = {"message": status["message"]} if "message" in status else {}
        out["status"]["code"] = STATUS[status["code"]]
    return out


def otlp_event(event):
    out = {"timeUnixNano": event["timeUnixNano"], "name": event["name"]}
    if event.get("attributes"):
        out["attributes"] = attributes(event["attributes"])
    return out


def request(case):
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes(case["resource"])},
                "scopeSpans": [
                    {"scope": case["scope"], "spans": [otlp_span(s) for s in case["spans"]]}
                ],
            }
        ]
    }


def set_value(message, value):
    (kind, plain), = value.items()
    if kind == "arrayValue":
        message.array_value.SetInParent()
        for item in plain["values"]:
            set_value(message.array_value.values.add(), item)
    elif kind == "intValue":
        message.int_value = int(plain)
    else:
        setattr(message, kind.replace("Value", "_value"), plain)


def set_attributes(field, pairs):
    for pair in pairs:
        entry = field.add(key=pair["key"])
        set_value(entry.value, pair["value"])


def protobuf(body):
    message = ExportTraceServiceRequest()
    group = body["resourceSpans"][0]
    resource_spans = message.resource_spans.add()
    set_attributes(resource_spans.resource.attributes, group["resource"]["attributes"])
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = group["scopeSpans"][0]["scope"]["name"]
    scope_spans.scope.version = group["scopeSpans"][0]["scope"]["version"]
    for span in group["scopeSpans"][0]["spans"]:
        out = scope_spans.spans.add(
            trace_id=bytes.fromhex(span["traceId"]),
            span_id=bytes.fromhex(span["spanId"]),
            trace_state=span.get("traceState", ""),
            parent_span_id=bytes.fromhex(span.get("parentSpanId", "")),
            flags=span["flags"],
            name=span["name"],
            kind=span["kind"],
            start_time_unix_nano=int(span["startTimeUnixNano"]),
            end_time_unix_nano=int(span["endTimeUnixNano"]),
            dropped_attributes_count=span.get("droppedAttributesCount", 0),
            dropped_events_count=span.get("droppedEventsCount", 0),
        )
        set_attributes(out.attributes, span.get("attributes", []))
        for event in span.get("events", []):
            entry = out.events.add(name=event["name"], time_unix_nano=int(event["timeUnixNano"]))
            set_attributes(entry.attributes, event.get("attributes", []))
        if "status" in span:
            out.status.code = span["status"]["code"]
            out.status.message = span["status"].get("message", "")
    return message.SerializeToString(deterministic=True)


def main():
    path = pathlib.Path(__file__).with_name("otlp.json")
    document = json.loads(path.read_text())
    for case in document["cases"]:
        case["json"] = request(case)
        case["protobufHex"] = protobuf(case["json"]).hex()
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
