package tracekit

import (
	"encoding/binary"
	"sync"
)

// recording is a live span as the bytes of OTLP's message Span: its head, written when it
// starts, and behind it attributes, events and links in the order they were set. At the end
// only the time of it is filled in, and the fields that no one knew before are added.
type recording struct {
	generator  generator // of ids: a recording is one goroutine's while it is got
	bytes      []byte
	nameStart  int // where in bytes the name's field stands
	head       int // where in bytes the head ends, with the end's time
	attributes []attribute
	wallOffset int64

	flags             uint32
	status            status
	statusMessage     string
	events            int
	links             int
	droppedAttributes int
	droppedEvents     int
	droppedLinks      int
}

// attribute says where an attribute and its key stand, behind the head, so that setting it
// again replaces it.
type attribute struct{ start, end, key, keySize uint32 }

var recordings = sync.Pool{New: func() any {
	return &recording{
		generator: newGenerator(), bytes: make([]byte, 0, 1024), attributes: make([]attribute, 0, 32),
	}
}}

// begin writes the head of a span that starts now.
func (r *recording) begin(sc *SpanContext, parent SpanID, remoteParent bool, name string, kind Kind) {
	r.wallOffset = wallOffset.Load()
	r.flags = uint32(sc.flags) | flagsHasIsRemote
	if remoteParent {
		r.flags |= flagsIsRemote
	}
	r.bytes, r.nameStart = appendSpanHead(r.bytes, sc, parent, name, kind, r.unixNano(monotonic()))
	r.head = len(r.bytes)
}

// release gives a recording back to be used again, unless one big span made it big.
func (r *recording) release() {
	if cap(r.bytes) > 16<<10 {
		return
	}
	r.bytes, r.attributes = r.bytes[:0], r.attributes[:0]
	r.status, r.statusMessage, r.events, r.links = statusUnset, "", 0, 0
	r.droppedAttributes, r.droppedEvents, r.droppedLinks = 0, 0, 0
	recordings.Put(r)
}

// rename writes another name into the head.
func (r *recording) rename(name string) {
	behind := r.head - spanTimesSize // the name ends there
	if field := r.bytes[r.nameStart:behind]; string(field[1+varintSize(field[1:]):]) == name {
		return
	}
	name = cleanString(name)
	var size [binary.MaxVarintLen64]byte
	sizeBytes := size[:binary.PutUvarint(size[:], uint64(len(name)))]
	field := 1 + len(sizeBytes) + len(name)
	rest := len(r.bytes) - behind
	if more := r.nameStart + field - behind; more > 0 {
		r.bytes, _ = extend(r.bytes, more)
	}
	copy(r.bytes[r.nameStart+field:], r.bytes[behind:behind+rest])
	r.bytes = r.bytes[:r.nameStart+field+rest]
	copy(r.bytes[r.nameStart+1+copy(r.bytes[r.nameStart+1:], sizeBytes):], name)
	r.head = r.nameStart + field + spanTimesSize
}

// room makes room for an attribute: it removes the one with the same key, and says no when
// there are too many.
func (r *recording) room(key string) bool {
	body := r.bytes[r.head:]
	for i := range r.attributes {
		a := &r.attributes[i]
		if int(a.keySize) == len(key) && string(body[a.key:a.key+a.keySize]) == key {
			r.remove(i)
			return true
		}
	}
	if len(r.attributes) < maxAttributes {
		return true
	}
	r.droppedAttributes++
	return false
}

// setString sets an attribute with a clean key. A span's first ones need no lock: nobody has the
// span yet.
func (r *recording) setString(key, value string) {
	if r.room(key) {
		start := len(r.bytes)
		r.bytes = appendStringAttribute(r.bytes, tagSpanAttribute, key, value)
		r.added(start)
	}
}

// setScalar is setString for what OTLP writes as a number: valueTag says which kind.
func (r *recording) setScalar(key string, valueTag byte, bits uint64) {
	if r.room(key) {
		start := len(r.bytes)
		r.bytes = appendScalarAttribute(r.bytes, tagSpanAttribute, key, valueTag, bits)
		r.added(start)
	}
}

// added notes the attribute whose bytes begin at start, or takes it away again when it made
// the span too big.
func (r *recording) added(start int) {
	if len(r.bytes) > maxSpanBytes {
		r.bytes = r.bytes[:start]
		r.droppedAttributes++
		return
	}
	b := r.bytes[start:]
	keySize, at := uint64(b[3]), 4 // when all lengths are one byte
	if b[1] >= 0x80 {
		at = 1 + varintSize(b[1:]) + 1
		var n int
		keySize, n = binary.Uvarint(b[at:])
		at += n
	}
	a := attribute{start: uint32(start - r.head), keySize: uint32(keySize)}
	a.key, a.end = a.start+uint32(at), a.start+uint32(len(b))
	r.attributes = append(r.attributes, a)
}

func varintSize(b []byte) int {
	n := 1
	for b[n-1] >= 0x80 {
		n++
	}
	return n
}

// remove takes out the attribute at index i and closes the gap.
func (r *recording) remove(i int) {
	gone := r.attributes[i]
	size := gone.end - gone.start
	body := r.bytes[r.head:]
	r.bytes = r.bytes[:len(r.bytes)-len(body)+int(gone.start)+copy(body[gone.start:], body[gone.end:])]
	r.attributes = append(r.attributes[:i], r.attributes[i+1:]...)
	for j := range r.attributes[i:] {
		a := &r.attributes[i+j]
		a.start, a.end, a.key = a.start-size, a.end-size, a.key-size
	}
}

// unixNano is a moment of the monotonic clock in OTLP's terms.
func (r *recording) unixNano(moment int64) uint64 { return uint64(r.wallOffset + moment) }

// finish completes the message of a span that ended at a moment of the monotonic clock.
func (r *recording) finish(moment int64) []byte {
	binary.LittleEndian.PutUint64(r.bytes[r.head-8:], r.unixNano(moment))
	b := r.bytes
	if r.droppedAttributes|r.droppedEvents|r.droppedLinks != 0 {
		b = appendCount(b, tagSpanDroppedAttributes, r.droppedAttributes)
		b = appendCount(b, tagSpanDroppedEvents, r.droppedEvents)
		b = appendCount(b, tagSpanDroppedLinks, r.droppedLinks)
	}
	if r.status != statusUnset {
		var mark int
		b, mark = openMessage(b, tagSpanStatus)
		if r.statusMessage != "" {
			b = appendStringField(b, tagStatusMessage, r.statusMessage)
		}
		b = closeMessage(appendVarintField(b, tagStatusCode, uint64(r.status)), mark)
	}
	r.bytes = binary.LittleEndian.AppendUint32(appendTag(b, tagSpanFlags), r.flags)
	return r.bytes
}

func appendCount(b []byte, tag uint64, n int) []byte {
	if n == 0 {
		return b
	}
	return appendVarintField(b, tag, uint64(n))
}
