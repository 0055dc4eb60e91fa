package main

import (
	"database/sql"
	"net/http"

	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"github.com/gin-gonic/gin"
	_ "github.com/mattn/go-sqlite3"
)

type user struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// openUsers opens the database and makes sure that a few users are in it.
func openUsers(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		return nil, err
	}
	_, err = db.Exec(`
		CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT, email TEXT);
		INSERT OR IGNORE INTO users VALUES
			(1, 'Ada Lovelace', 'ada@example.com'),
			(2, 'Grace Hopper', 'grace@example.com'),
			(3, 'Edsger Dijkstra', 'edsger@example.com'),
			(4, 'Barbara Liskov', 'barbara@example.com')`)
	if err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// listUsers answers with all users. The query's span goes below the request's.
func listUsers(sdk *tracekit.SDK, db *sql.DB) gin.HandlerFunc {
	return func(c *gin.Context) {
		users, err := queryUsers(c, db)
		if err != nil {
			sdk.CaptureExceptionContext(c, err)
			c.JSON(http.StatusInternalServerError, gin.H{"error": "the users cannot be read"})
			return
		}
		sdk.GetCurrentSpan(c).SetTag("users.count", len(users))
		c.JSON(http.StatusOK, users)
	}
}

func queryUsers(c *gin.Context, db *sql.DB) ([]user, error) {
	rows, err := db.QueryContext(c.Request.Context(), "SELECT id, name, email FROM users ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var users []user
	for rows.Next() {
		var u user
		if err := rows.Scan(&u.ID, &u.Name, &u.Email); err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, rows.Err()
}
