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
	"unsafe"
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
	value = cleanString(value)
	return append(binary.AppendUvarint(appendTag(b, tag), uint64(len(value))), value...)
}

func cleanString(value string) string {
	if !ascii(value) && !utf8.ValidString(value) {
		value = strings.ToValidUTF8(value, "\uFFFD")
	}
	if len(value) > maxStringBytes {
		end := maxStringBytes
		for !utf8.RuneStart(value[end]) {
			end--
		}
		value = value[:end]
	}
	return value
}

// cleanKey is cleanString for keys, of which nearly all are short and plain.
func cleanKey(key string) string {
	if len(key) <= maxShort && ascii(key) {
		return key
	}
	return cleanString(key)
}

// ascii looks at eight bytes at once, the last eight once more: texts are short, and each is
// looked at. (utf8.ValidString takes three times as long for what remains of eight.)
func ascii(text string) bool {
	const high = 0x8080808080808080
	n := len(text)
	if n < 8 {
		var all byte
		for i := 0; i < n; i++ {
			all |= text[i]
		}
		return all < 0x80
	}
	b := unsafe.Slice(unsafe.StringData(text), n)
	all := binary.LittleEndian.Uint64(b[n-8:])
	for ; len(b) >= 8; b = b[8:] {
		all |= binary.LittleEndian.Uint64(b)
	}
	return all&high == 0
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

// appendAttribute writes a KeyValue into the field tag, whatever the value's methods do.
func appendAttribute(b []byte, tag uint64, key string, value any) (appended []byte) {
	start := len(b)
	defer func() {
		if recover() != nil {
			appended = appendStringAttribute(b[:start], tag, key, fmt.Sprintf("%%!v(PANIC=%T)", value))
		}
	}()
	b, mark := openMessage(b, tag)
	b = appendStringField(b, tagKeyValueKey, key)
	b = appendValue(b, tagKeyValueValue, value, 0)
	return closeMessage(b, mark)
}

// maxShort is how long a key, or a key and its string, may be so that all lengths in the
// message are one byte.
const maxShort = 0x7f - 16

// appendScalarAttribute is appendAttribute for a bool, an int or a double.
func appendScalarAttribute(b []byte, tag uint64, key string, valueTag byte, bits uint64) []byte {
	var value [1 + binary.MaxVarintLen64]byte
	value[0] = valueTag
	size := 9
	if valueTag == tagValueDouble {
		binary.LittleEndian.PutUint64(value[1:], bits)
	} else {
		size = 1 + binary.PutUvarint(value[1:], bits)
	}
	if len(key) > maxShort {
		b, mark := openMessage(b, tag)
		b = appendStringField(b, tagKeyValueKey, key)
		return closeMessage(appendBytesField(b, tagKeyValueValue, value[:size]), mark)
	}
	b, p := extend(b, len(key)+6+size)
	p[0], p[1], p[2], p[3] = byte(tag), byte(len(key)+4+size), tagKeyValueKey, byte(len(key))
	p = p[4+copy(p[4:], key):]
	p[0], p[1] = tagKeyValueValue, byte(size)
	copy(p[2:], value[:size])
	return b
}

// appendStringAttribute is appendAttribute for the commonest kind, with a clean key.
func appendStringAttribute(b []byte, tag uint64, key, value string) []byte {
	// Nearly all are short and plain, and every length in them is one byte.
	if n := len(key) + len(value); n <= maxShort && ascii(value) {
		b, p := extend(b, n+8)
		p[0], p[1], p[2], p[3] = byte(tag), byte(n+6), tagKeyValueKey, byte(len(key))
		p = p[4+copy(p[4:], key):]
		p[0], p[1] = tagKeyValueValue, byte(len(value)+2)
		p[2], p[3] = tagValueString, byte(len(value))
		copy(p[4:], value)
		return b
	}
	b, mark := openMessage(b, tag)
	b = appendStringField(b, tagKeyValueKey, key)
	b, valueMark := openMessage(b, tagKeyValueValue)
	b = appendStringField(b, tagValueString, value)
	return closeMessage(closeMessage(b, valueMark), mark)
}

// extend makes b longer by n bytes, and gives these, too.
func extend(b []byte, n int) (extended, added []byte) {
	start := len(b)
	if cap(b)-start < n {
		b = append(b, make([]byte, n)...)
	}
	b = b[:start+n]
	return b, b[start:]
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
		b = appendStringField(b, tagValueString, printed(v))
	default:
		b = appendReflected(b, reflect.ValueOf(value), depth)
	}
	return closeMessage(b, mark)
}

func appendBoolValue(b []byte, value bool) []byte {
	return appendVarintField(b, tagValueBool, boolBits(value))
}

func boolBits(value bool) uint64 {
	if value {
		return 1
	}
	return 0
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
	return appendStringField(b, tagValueString, printed(v.Interface()))
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
			b = appendStringField(b, tagKeyValueKey, printed(entries.Key().Interface()))
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

// spanTimesSize is what the kind and the two times take, which end a span's head.
const spanTimesSize = 2 + 9 + 9

// appendSpanHead writes a span's fields in front of its attributes, in the order of their
// numbers, and says where the name is. The end's time is the last, and not known yet.
func appendSpanHead(
	b []byte, sc *SpanContext, parent SpanID, name string, kind Kind, start uint64,
) (head []byte, nameStart int) {
	b, p := extend(b, 28)
	p[0], p[1], p[18], p[19] = tagSpanTraceID, byte(len(sc.TraceID)), tagSpanID, byte(len(sc.SpanID))
	copy(p[2:18], sc.TraceID[:])
	copy(p[20:28], sc.SpanID[:])
	if state := sc.TraceState(); state != "" {
		b = appendStringField(b, tagSpanTraceState, state)
	}
	if parent != (SpanID{}) {
		b, p = extend(b, 10)
		p[0], p[1] = tagSpanParentID, byte(len(parent))
		copy(p[2:], parent[:])
	}
	nameStart = len(b)
	b = appendStringField(b, tagSpanName, name)
	b, p = extend(b, spanTimesSize)
	p[0], p[1], p[2], p[11] = tagSpanKind, byte(kind), tagSpanStart, tagSpanEnd
	binary.LittleEndian.PutUint64(p[3:], start)
	binary.LittleEndian.PutUint64(p[12:], 0)
	return b, nameStart
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
