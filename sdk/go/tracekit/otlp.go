package tracekit

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// OTLP's protobuf messages, written by hand: a span is bytes from its first attribute on, and
// no tree of message objects stands between. The numbers are those of opentelemetry-proto's
// trace.proto, common.proto and resource.proto; a tag is field<<3 | wire type.
const (
	tagRequestResourceSpans = 1<<3 | wireBytes

	tagResourceSpansResource   = 1<<3 | wireBytes
	tagResourceSpansScopeSpans = 2<<3 | wireBytes

	tagResourceAttribute = 1<<3 | wireBytes

	tagScopeSpansScope = 1<<3 | wireBytes
	tagScopeSpansSpan  = 2<<3 | wireBytes

	tagScopeName    = 1<<3 | wireBytes
	tagScopeVersion = 2<<3 | wireBytes

	tagSpanTraceID           = 1<<3 | wireBytes
	tagSpanID                = 2<<3 | wireBytes
	tagSpanTraceState        = 3<<3 | wireBytes
	tagSpanParentID          = 4<<3 | wireBytes
	tagSpanName              = 5<<3 | wireBytes
	tagSpanKind              = 6<<3 | wireVarint
	tagSpanStart             = 7<<3 | wireFixed64
	tagSpanEnd               = 8<<3 | wireFixed64
	tagSpanAttribute         = 9<<3 | wireBytes
	tagSpanDroppedAttributes = 10<<3 | wireVarint
	tagSpanEvent             = 11<<3 | wireBytes
	tagSpanDroppedEvents     = 12<<3 | wireVarint
	tagSpanLink              = 13<<3 | wireBytes
	tagSpanDroppedLinks      = 14<<3 | wireVarint
	tagSpanStatus            = 15<<3 | wireBytes
	tagSpanFlags             = 16<<3 | wireFixed32

	tagEventTime              = 1<<3 | wireFixed64
	tagEventName              = 2<<3 | wireBytes
	tagEventAttribute         = 3<<3 | wireBytes
	tagEventDroppedAttributes = 4<<3 | wireVarint

	tagLinkTraceID           = 1<<3 | wireBytes
	tagLinkSpanID            = 2<<3 | wireBytes
	tagLinkTraceState        = 3<<3 | wireBytes
	tagLinkAttribute         = 4<<3 | wireBytes
	tagLinkDroppedAttributes = 5<<3 | wireVarint

	tagStatusMessage = 2<<3 | wireBytes
	tagStatusCode    = 3<<3 | wireVarint

	tagKeyValueKey   = 1<<3 | wireBytes
	tagKeyValueValue = 2<<3 | wireBytes

	tagValueString = 1<<3 | wireBytes
	tagValueBool   = 2<<3 | wireVarint
	tagValueInt    = 3<<3 | wireVarint
	tagValueDouble = 4<<3 | wireFixed64
	tagValueArray  = 5<<3 | wireBytes
	tagValueMap    = 6<<3 | wireBytes
	tagValueBytes  = 7<<3 | wireBytes

	tagListValue = 1<<3 | wireBytes // of ArrayValue and KeyValueList

	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5

	// Bits of a span's flags beside the trace flags.
	flagsHasIsRemote = 0x100
	flagsIsRemote    = 0x200
)

func appendTag(b []byte, tag uint64) []byte {
	if tag < 0x80 {
		return append(b, byte(tag))
	}
	return binary.AppendUvarint(b, tag)
}

func appendVarintField(b []byte, tag, value uint64) []byte {
	return binary.AppendUvarint(appendTag(b, tag), value)
}

func appendFixed64Field(b []byte, tag, value uint64) []byte {
	return binary.LittleEndian.AppendUint64(appendTag(b, tag), value)
}

func appendBytesField(b []byte, tag uint64, value []byte) []byte {
	return append(binary.AppendUvarint(appendTag(b, tag), uint64(len(value))), value...)
}

// appendStringField mends what is no UTF-8, since a receiver may refuse a whole request for it,
// and cuts what is too long, before the character that does not fit.
func appendStringField(b []byte, tag uint64, value string) []byte {
	if !utf8.ValidString(value) {
		value = strings.ToValidUTF8(value, "\uFFFD")
	}
	if len(value) > maxStringBytes {
		end := maxStringBytes
		for !utf8.RuneStart(value[end]) {
			end--
		}
		value = value[:end]
	}
	return append(binary.AppendUvarint(appendTag(b, tag), uint64(len(value))), value...)
}

// openMessage begins a length-delimited field whose length is not known yet; closeMessage,
// given the mark, writes it, and moves the contents when one byte is too little for it.
func openMessage(b []byte, tag uint64) (opened []byte, mark int) {
	b = append(appendTag(b, tag), 0)
	return b, len(b)
}

func closeMessage(b []byte, mark int) []byte {
	n := len(b) - mark
	if n < 0x80 {
		b[mark-1] = byte(n)
		return b
	}
	var length [binary.MaxVarintLen64]byte
	extra := binary.PutUvarint(length[:], uint64(n)) - 1
	b = append(b, length[:extra]...)
	copy(b[mark+extra:], b[mark:mark+n])
	copy(b[mark-1:], length[:extra+1])
	return b
}

// appendAttribute writes a KeyValue into the field tag.
func appendAttribute(b []byte, tag uint64, key string, value any) []byte {
	switch v := value.(type) { // the commonest, without a look at what is in them
	case string:
		return appendStringAttribute(b, tag, key, v)
	case int:
		if v >= 0 && v < 1<<14 {
			return appendShortAttribute(b, tag, key, tagValueInt, uint64(v))
		}
	case bool:
		if v {
			return appendShortAttribute(b, tag, key, tagValueBool, 1)
		}
		return appendShortAttribute(b, tag, key, tagValueBool, 0)
	}
	b, mark := openMessage(b, tag)
	b = appendStringField(b, tagKeyValueKey, key)
	b = appendValue(b, tagKeyValueValue, value, 0)
	return closeMessage(b, mark)
}

// appendShortAttribute is appendAttribute for a varint of at most two bytes.
func appendShortAttribute(b []byte, tag uint64, key string, tagValue byte, value uint64) []byte {
	if len(key) >= 0x70 || !utf8.ValidString(key) || tag >= 0x80 {
		b, mark := openMessage(b, tag)
		b = appendStringField(b, tagKeyValueKey, key)
		b, valueMark := openMessage(b, tagKeyValueValue)
		return closeMessage(closeMessage(appendVarintField(b, uint64(tagValue), value), valueMark), mark)
	}
	size := 2
	if value >= 0x80 {
		size = 3
	}
	b = append(b, byte(tag), byte(len(key)+4+size), tagKeyValueKey, byte(len(key)))
	b = append(b, key...)
	b = append(b, tagKeyValueValue, byte(size), tagValue)
	return binary.AppendUvarint(b, value)
}

// appendStringAttribute is appendAttribute for the commonest kind, which need not become an
// interface first: that would be an allocation.
func appendStringAttribute(b []byte, tag uint64, key, value string) []byte {
	// Nearly all are short, and every length in them is one byte. The tags and lengths are ASCII:
	// all is valid UTF-8 only if both texts are.
	const overhead = 6 // tags and lengths of key, value and the string in it
	if n := len(key) + len(value); n+overhead < 0x80 && tag < 0x80 {
		start := len(b)
		b = append(b, byte(tag), byte(n+overhead), tagKeyValueKey, byte(len(key)))
		b = append(b, key...)
		b = append(b, tagKeyValueValue, byte(len(value)+2), tagValueString, byte(len(value)))
		b = append(b, value...)
		if utf8.Valid(b[start:]) {
			return b
		}
		b = b[:start]
	}
	b, mark := openMessage(b, tag)
	b = appendStringField(b, tagKeyValueKey, key)
	b, valueMark := openMessage(b, tagKeyValueValue)
	b = appendStringField(b, tagValueString, value)
	return closeMessage(closeMessage(b, valueMark), mark)
}

// The limits of what a value may be made of. A value may contain itself; both ends stop that.
const (
	maxValueDepth  = 8
	maxArrayItems  = 128
	maxStringBytes = 32 << 10
	maxSpanBytes   = 256 << 10
)

// appendAttributes writes those of an event or a link, and how many there is no room for.
func appendAttributes(b []byte, tag, tagDropped uint64, attributes map[string]any) []byte {
	n := 0
	for key, value := range attributes {
		if n++; n <= maxAttributes {
			b = appendAttribute(b, tag, key, value)
		}
	}
	if n > maxAttributes {
		b = appendVarintField(b, tagDropped, uint64(n-maxAttributes))
	}
	return b
}

// appendValue writes an AnyValue into the field tag. Whatever OTLP has a kind for keeps it;
// everything else is what fmt prints.
func appendValue(b []byte, tag uint64, value any, depth int) []byte {
	b, mark := openMessage(b, tag)
	switch v := value.(type) {
	case nil:
	case string:
		b = appendStringField(b, tagValueString, v)
	case bool:
		b = appendBoolValue(b, v)
	case int:
		b = appendVarintField(b, tagValueInt, uint64(v))
	case int64:
		b = appendVarintField(b, tagValueInt, uint64(v))
	case float64:
		b = appendFixed64Field(b, tagValueDouble, math.Float64bits(v))
	case []byte:
		b = appendBytesField(b, tagValueBytes, v)
	case time.Time:
		b = appendStringField(b, tagValueString, v.Format(time.RFC3339Nano))
	case error, fmt.Stringer:
		b = appendStringField(b, tagValueString, fmt.Sprint(v)) // survives a nil receiver
	default:
		b = appendReflected(b, reflect.ValueOf(value), depth)
	}
	return closeMessage(b, mark)
}

func appendBoolValue(b []byte, value bool) []byte {
	if value {
		return appendVarintField(b, tagValueBool, 1)
	}
	return appendVarintField(b, tagValueBool, 0)
}

func appendReflected(b []byte, v reflect.Value, depth int) []byte {
	switch v.Kind() {
	case reflect.String:
		return appendStringField(b, tagValueString, v.String())
	case reflect.Bool:
		return appendBoolValue(b, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return appendVarintField(b, tagValueInt, uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Uintptr:
		if v.Uint() > math.MaxInt64 {
			return appendStringField(b, tagValueString, strconv.FormatUint(v.Uint(), 10))
		}
		return appendVarintField(b, tagValueInt, v.Uint())
	case reflect.Float32, reflect.Float64:
		return appendFixed64Field(b, tagValueDouble, math.Float64bits(v.Float()))
	case reflect.Pointer:
		if v.IsNil() {
			return b
		}
		if depth < maxValueDepth {
			return appendReflected(b, v.Elem(), depth+1)
		}
		return appendStringField(b, tagValueString, "...")
	case reflect.Slice, reflect.Array, reflect.Map:
		return appendCollection(b, v, depth)
	}
	return appendStringField(b, tagValueString, fmt.Sprint(v.Interface()))
}

// appendCollection writes an ArrayValue or a KeyValueList.
func appendCollection(b []byte, v reflect.Value, depth int) []byte {
	if depth >= maxValueDepth {
		return appendStringField(b, tagValueString, "...")
	}
	if v.Kind() == reflect.Map {
		b, mark := openMessage(b, tagValueMap)
		for entries := v.MapRange(); len(b) <= maxSpanBytes && entries.Next(); {
			var entryMark int
			b, entryMark = openMessage(b, tagListValue)
			b = appendStringField(b, tagKeyValueKey, fmt.Sprint(entries.Key().Interface()))
			b = appendValue(b, tagKeyValueValue, entries.Value().Interface(), depth+1)
			b = closeMessage(b, entryMark)
		}
		return closeMessage(b, mark)
	}
	b, mark := openMessage(b, tagValueArray)
	for i := 0; len(b) <= maxSpanBytes && i < min(v.Len(), maxArrayItems); i++ {
		b = appendValue(b, tagListValue, v.Index(i).Interface(), depth+1)
	}
	return closeMessage(b, mark)
}

// appendSpanHead writes a span's fields in front of its attributes, in the order of their
// numbers; appendSpanTail those behind its events.
func appendSpanHead(b []byte, s *Span) []byte {
	var ids [28]byte
	ids[0], ids[1] = tagSpanTraceID, byte(len(s.sc.TraceID))
	copy(ids[2:], s.sc.TraceID[:])
	ids[18], ids[19] = tagSpanID, byte(len(s.sc.SpanID))
	copy(ids[20:], s.sc.SpanID[:])
	b = append(b, ids[:]...)
	if s.sc.TraceState != "" {
		b = appendStringField(b, tagSpanTraceState, s.sc.TraceState)
	}
	if s.parent != (SpanID{}) {
		b = appendBytesField(b, tagSpanParentID, s.parent[:])
	}
	b = appendStringField(b, tagSpanName, s.name)
	var rest [20]byte
	rest[0], rest[1], rest[2], rest[11] = tagSpanKind, byte(s.kind), tagSpanStart, tagSpanEnd
	binary.LittleEndian.PutUint64(rest[3:], s.unixNano(s.start))
	binary.LittleEndian.PutUint64(rest[12:], s.unixNano(s.end))
	return append(b, rest[:]...)
}

func appendSpanTail(b []byte, s *Span, message string) []byte {
	if s.status != statusUnset {
		var mark int
		b, mark = openMessage(b, tagSpanStatus)
		if message != "" {
			b = appendStringField(b, tagStatusMessage, message)
		}
		b = appendVarintField(b, tagStatusCode, uint64(s.status))
		b = closeMessage(b, mark)
	}
	flags := uint32(s.sc.flags) | flagsHasIsRemote
	if s.remoteParent {
		flags |= flagsIsRemote
	}
	return binary.LittleEndian.AppendUint32(appendTag(b, tagSpanFlags), flags)
}

// appendRequestHead writes all of a request in front of its spans: n bytes of them, each a
// field of ScopeSpans.
func appendRequestHead(b []byte, resource, scope []byte, n int) []byte {
	scopeSpans := fieldSize(len(scope)) + n
	resourceSpans := fieldSize(len(resource)) + fieldSize(scopeSpans)
	b = binary.AppendUvarint(appendTag(b, tagRequestResourceSpans), uint64(resourceSpans))
	b = appendBytesField(b, tagResourceSpansResource, resource)
	b = binary.AppendUvarint(appendTag(b, tagResourceSpansScopeSpans), uint64(scopeSpans))
	return appendBytesField(b, tagScopeSpansScope, scope)
}

// fieldSize is what a length-delimited field of n bytes takes, its one-byte tag included.
func fieldSize(n int) int {
	size := n + 2
	for v := n; v >= 0x80; v >>= 7 {
		size++
	}
	return size
}

// partialSuccess reads an ExportTraceServiceResponse: how many spans the server refused, and
// why. Whatever cannot be read is taken for a full success, as the server said 200.
func partialSuccess(b []byte) (rejected int64, message string) {
	eachField(b, func(field, varint uint64, contents []byte) {
		if field == 1 {
			eachField(contents, func(field, varint uint64, contents []byte) {
				switch field {
				case 1:
					rejected = int64(varint)
				case 2:
					message = string(contents)
				}
			})
		}
	})
	return rejected, message
}

// eachField calls visit for the varint and length-delimited fields of a message.
func eachField(b []byte, visit func(field, varint uint64, contents []byte)) {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return
		}
		value, m := binary.Uvarint(b[n:])
		if wire := tag & 7; m <= 0 || wire != wireVarint && wire != wireBytes {
			return
		} else if b = b[n+m:]; wire == wireVarint {
			visit(tag>>3, value, nil)
			continue
		}
		if value > uint64(len(b)) {
			return
		}
		visit(tag>>3, 0, b[:value])
		b = b[value:]
	}
}
