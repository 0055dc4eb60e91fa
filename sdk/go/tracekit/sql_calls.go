package tracekit

import (
	"context"
	"database/sql/driver"
	"errors"
)

// Calling a driver in the form that it has: with a context, or the older one without. Like
// database/sql, which finds the newest form on our types and so leaves this to us.

type queryFunc = func(context.Context, string, []driver.NamedValue) (driver.Rows, error)
type execFunc = func(context.Context, string, []driver.NamedValue) (driver.Result, error)

// queryer gives the driver's way to query without a statement, or nil.
func queryer(conn driver.Conn) queryFunc {
	switch c := conn.(type) {
	case driver.QueryerContext:
		return c.QueryContext
	case driver.Queryer: //nolint:staticcheck // old drivers
		return func(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
			values, err := plainValues(ctx, args)
			if err != nil {
				return nil, err
			}
			return c.Query(query, values)
		}
	}
	return nil
}

// execer gives the driver's way to execute without a statement, or nil.
func execer(conn driver.Conn) execFunc {
	switch c := conn.(type) {
	case driver.ExecerContext:
		return c.ExecContext
	case driver.Execer: //nolint:staticcheck // old drivers
		return func(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
			values, err := plainValues(ctx, args)
			if err != nil {
				return nil, err
			}
			return c.Exec(query, values)
		}
	}
	return nil
}

func stmtQuery(
	ctx context.Context, stmt driver.Stmt, args []driver.NamedValue,
) (driver.Rows, error) {
	if s, ok := stmt.(driver.StmtQueryContext); ok {
		return s.QueryContext(ctx, args)
	}
	values, err := plainValues(ctx, args)
	if err != nil {
		return nil, err
	}
	return stmt.Query(values) //nolint:staticcheck // old drivers
}

func stmtExec(
	ctx context.Context, stmt driver.Stmt, args []driver.NamedValue,
) (driver.Result, error) {
	if s, ok := stmt.(driver.StmtExecContext); ok {
		return s.ExecContext(ctx, args)
	}
	values, err := plainValues(ctx, args)
	if err != nil {
		return nil, err
	}
	return stmt.Exec(values) //nolint:staticcheck // old drivers
}

// plainValues is for calls without a context: it is looked at now or never.
func plainValues(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, arg := range args {
		if arg.Name != "" {
			return nil, errors.New("sql: driver does not support the use of Named Parameters")
		}
		values[i] = arg.Value
	}
	return values, ctx.Err()
}
