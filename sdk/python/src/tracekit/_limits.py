"""What a span and the queue take, as sdk/spec/limits.json says. What is beyond is dropped and counted."""

from __future__ import annotations

ATTRIBUTES_MAX = 128
EVENTS_MAX = 128
LINKS_MAX = 128
EVENT_ATTRIBUTES_MAX = 128

# Of one span, all its attributes and events together.
SPAN_BYTES_MAX = 256 << 10
# Of a text or bytes, keys included; cut in front of the character that does not fit.
STRING_BYTES_MAX = 32_768
ARRAY_ITEMS_MAX = 128
# A value may contain itself: depth and bytes both stop that.
VALUE_DEPTH_MAX = 8

# Spans that wait or are under way, and their bytes.
QUEUE_MAX = 2048
BYTES_MAX = 16 << 20
BATCH_MAX = 512
