package tracekitpgx

import (
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// fakePostgres speaks the protocol: each query gives two rows of a column, one with "broken" in it
// an error. It gives its address.
func fakePostgres(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				(&session{Backend: pgproto3.NewBackend(conn, conn)}).serve()
			}()
		}
	}()
	return listener.Addr().String()
}

type session struct {
	*pgproto3.Backend
	query   string // the one prepared last
	failed  bool   // until the next Sync
	copying bool
}

var (
	ready   = &pgproto3.ReadyForQuery{TxStatus: 'I'}
	columns = &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{
		{Name: []byte("name"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1},
	}}
)

func (s *session) serve() {
	if _, err := s.ReceiveStartupMessage(); err != nil {
		return
	}
	s.Send(&pgproto3.AuthenticationOk{})
	s.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	s.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	s.Send(ready)
	for s.Flush() == nil {
		received, err := s.Receive()
		if err != nil {
			return
		}
		s.answer(received)
	}
}

func (s *session) answer(received pgproto3.FrontendMessage) {
	switch m := received.(type) {
	case *pgproto3.Query:
		if strings.HasPrefix(m.String, "copy") {
			s.Send(&pgproto3.CopyInResponse{OverallFormat: 1, ColumnFormatCodes: []uint16{1}})
			return
		}
		for _, query := range strings.Split(strings.TrimSuffix(m.String, ";"), ";") {
			if s.isBroken(query) {
				break
			}
			s.Send(columns)
			s.sendRows()
		}
		s.failed = false
		s.Send(ready)
	case *pgproto3.CopyDone:
		s.Send(&pgproto3.CommandComplete{CommandTag: []byte("COPY 2")})
		s.Send(ready)
	case *pgproto3.Sync:
		s.failed = false
		s.Send(ready)
	case *pgproto3.Parse:
		if !s.failed && !s.isBroken(m.Query) {
			s.query = m.Query
			s.Send(&pgproto3.ParseComplete{})
		}
	case *pgproto3.Describe:
		if s.failed {
			return
		}
		if m.ObjectType == 'S' {
			s.Send(&pgproto3.ParameterDescription{
				ParameterOIDs: []uint32{25, 25, 25}[:strings.Count(s.query, "$")]})
		}
		s.Send(columns)
	case *pgproto3.Bind:
		if !s.failed {
			s.Send(&pgproto3.BindComplete{})
		}
	case *pgproto3.Execute:
		if !s.failed {
			s.sendRows()
		}
	}
}

func (s *session) isBroken(query string) bool {
	if s.failed = strings.Contains(query, "broken"); s.failed {
		s.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "42P01", Message: "no such table"})
	}
	return s.failed
}

func (s *session) sendRows() {
	for _, name := range []string{"Ada", "Grace"} {
		s.Send(&pgproto3.DataRow{Values: [][]byte{[]byte(name)}})
	}
	s.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 2")})
}
