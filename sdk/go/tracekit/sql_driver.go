package tracekit

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"
)

// The driver's side of database/sql, wrapped. database/sql asks by type assertion what a
// driver can do beyond the least; each of these interfaces has an answer that means "no", or
// a default that database/sql itself would use. So one type per thing wraps any driver.

type tracedConnector struct {
	driver.Connector
	tracer *dbTracer
}

func (c *tracedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	traced := &tracedConn{Conn: conn, tracer: c.tracer}
	if pooled, ok := conn.(*pooledConn); ok {
		traced.Conn, traced.pooled = pooled.Conn, pooled
	}
	return traced, nil
}

// Close passes sql.DB.Close on to a connector that has it.
func (c *tracedConnector) Close() error {
	if closer, ok := c.Connector.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

type tracedConn struct {
	driver.Conn
	tracer *dbTracer
	pooled *pooledConn // nil: not WrapDB's
}

func (c *tracedConn) Close() error {
	if c.pooled != nil {
		return c.pooled.Close()
	}
	return c.Conn.Close()
}

// checked notes for the pool that a connection went bad.
func (c *tracedConn) checked(err error) error {
	if c.pooled != nil && errors.Is(err, driver.ErrBadConn) {
		c.pooled.bad = true
	}
	return err
}

func (c *tracedConn) QueryContext(
	ctx context.Context, query string, args []driver.NamedValue,
) (driver.Rows, error) {
	run := queryer(c.Conn)
	if run == nil {
		return nil, driver.ErrSkip // database/sql prepares a statement instead
	}
	span := c.tracer.start(ctx, "db.Query", query, len(args))
	rows, err := run(ctx, query, args)
	return c.queried(span, rows, err)
}

// queried hands the span over to the rows: a driver may do the work while they are read.
func (c *tracedConn) queried(span *Span, rows driver.Rows, err error) (driver.Rows, error) {
	if err == driver.ErrSkip {
		span.discard()
		return nil, err
	}
	if err != nil {
		end(span, err)
		return nil, c.checked(err)
	}
	return &tracedRows{Rows: rows, span: span}, nil
}

func (c *tracedConn) ExecContext(
	ctx context.Context, query string, args []driver.NamedValue,
) (driver.Result, error) {
	run := execer(c.Conn)
	if run == nil {
		return nil, driver.ErrSkip
	}
	span := c.tracer.start(ctx, "db.Exec", query, len(args))
	result, err := run(ctx, query, args)
	if err == driver.ErrSkip {
		span.discard()
		return nil, err
	}
	end(span, err)
	return result, c.checked(err)
}

func (c *tracedConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *tracedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	var stmt driver.Stmt
	var err error
	if preparer, ok := c.Conn.(driver.ConnPrepareContext); ok {
		stmt, err = preparer.PrepareContext(ctx, query)
	} else {
		stmt, err = c.Conn.Prepare(query)
	}
	if err != nil {
		return nil, c.checked(err)
	}
	return &tracedStmt{Stmt: stmt, conn: c, query: query}, nil
}

func (c *tracedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	span := c.tracer.start(ctx, "db.Begin", "", 0)
	tx, err := beginTx(ctx, c.Conn, opts)
	end(span, err)
	if err != nil {
		return nil, c.checked(err)
	}
	return &tracedTx{tx, c, ctx}, nil
}

// beginTx does for a driver without BeginTx what database/sql does for it.
func beginTx(ctx context.Context, conn driver.Conn, opts driver.TxOptions) (driver.Tx, error) {
	if beginner, ok := conn.(driver.ConnBeginTx); ok {
		return beginner.BeginTx(ctx, opts)
	}
	if opts.Isolation != 0 {
		return nil, errors.New("sql: driver does not support non-default isolation level")
	}
	if opts.ReadOnly {
		return nil, errors.New("sql: driver does not support read-only transactions")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return conn.Begin() //nolint:staticcheck // all that such a driver has
}

func (c *tracedConn) Ping(ctx context.Context) error {
	if pinger, ok := c.Conn.(driver.Pinger); ok {
		return c.checked(pinger.Ping(ctx))
	}
	return nil
}

func (c *tracedConn) ResetSession(ctx context.Context) error {
	if resetter, ok := c.Conn.(driver.SessionResetter); ok {
		return resetter.ResetSession(ctx)
	}
	return nil
}

func (c *tracedConn) IsValid() bool {
	if validator, ok := c.Conn.(driver.Validator); ok {
		return validator.IsValid()
	}
	return true
}

func (c *tracedConn) CheckNamedValue(value *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(value)
	}
	return driver.ErrSkip
}

type tracedTx struct {
	driver.Tx
	conn *tracedConn
	ctx  context.Context
}

func (t *tracedTx) Commit() error   { return t.finish("db.Commit", t.Tx.Commit) }
func (t *tracedTx) Rollback() error { return t.finish("db.Rollback", t.Tx.Rollback) }

func (t *tracedTx) finish(name string, run func() error) error {
	span := t.conn.tracer.start(t.ctx, name, "", 0)
	err := run()
	end(span, err)
	return t.conn.checked(err)
}

type tracedStmt struct {
	driver.Stmt
	conn  *tracedConn
	query string
}

func (s *tracedStmt) QueryContext(
	ctx context.Context, args []driver.NamedValue,
) (driver.Rows, error) {
	span := s.conn.tracer.start(ctx, "db.Query", s.query, len(args))
	rows, err := stmtQuery(ctx, s.Stmt, args)
	return s.conn.queried(span, rows, err)
}

func (s *tracedStmt) ExecContext(
	ctx context.Context, args []driver.NamedValue,
) (driver.Result, error) {
	span := s.conn.tracer.start(ctx, "db.Exec", s.query, len(args))
	result, err := stmtExec(ctx, s.Stmt, args)
	end(span, err)
	return result, s.conn.checked(err)
}

func (s *tracedStmt) CheckNamedValue(value *driver.NamedValue) error {
	if checker, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(value)
	}
	if converter, ok := s.Stmt.(driver.ColumnConverter); ok { //nolint:staticcheck // old drivers
		converted, err := converter.ColumnConverter(value.Ordinal - 1).ConvertValue(value.Value)
		if err == nil {
			value.Value = converted
		}
		return err
	}
	return s.conn.CheckNamedValue(value)
}

// tracedRows ends the query's span when the rows have been read.
type tracedRows struct {
	driver.Rows
	span *Span
	read int64
	err  error
}

func (r *tracedRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	switch err {
	case nil:
		r.read++
	case io.EOF:
	default:
		r.err = err
	}
	return err
}

func (r *tracedRows) Close() error {
	err := r.Rows.Close()
	if r.err == nil {
		r.err = err
	}
	r.span.SetTag("db.response.returned_rows", r.read)
	end(r.span, r.err)
	return err
}

func (r *tracedRows) HasNextResultSet() bool {
	next, ok := r.Rows.(driver.RowsNextResultSet)
	return ok && next.HasNextResultSet()
}

func (r *tracedRows) NextResultSet() error {
	if next, ok := r.Rows.(driver.RowsNextResultSet); ok {
		return next.NextResultSet()
	}
	return io.EOF
}

func (r *tracedRows) ColumnTypeScanType(index int) reflect.Type {
	if typed, ok := r.Rows.(driver.RowsColumnTypeScanType); ok {
		return typed.ColumnTypeScanType(index)
	}
	return reflect.TypeOf(new(any)).Elem()
}

func (r *tracedRows) ColumnTypeDatabaseTypeName(index int) string {
	if typed, ok := r.Rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return typed.ColumnTypeDatabaseTypeName(index)
	}
	return ""
}

func (r *tracedRows) ColumnTypeLength(index int) (int64, bool) {
	if typed, ok := r.Rows.(driver.RowsColumnTypeLength); ok {
		return typed.ColumnTypeLength(index)
	}
	return 0, false
}

func (r *tracedRows) ColumnTypeNullable(index int) (nullable, known bool) {
	if typed, ok := r.Rows.(driver.RowsColumnTypeNullable); ok {
		return typed.ColumnTypeNullable(index)
	}
	return false, false
}

func (r *tracedRows) ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool) {
	if typed, has := r.Rows.(driver.RowsColumnTypePrecisionScale); has {
		return typed.ColumnTypePrecisionScale(index)
	}
	return 0, 0, false
}
