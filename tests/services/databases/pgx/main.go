// SPDX-License-Identifier: Apache-2.0
// Calls PostgreSQL by pgx when a line comes in: prepared once and executed, a batch (a pipeline), an error, COPY;
// then waits for the end of its input.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/jackc/pgx/v5"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	input := bufio.NewReader(os.Stdin)
	input.ReadString('\n')
	ctx := context.Background()
	db, err := pgx.Connect(ctx, os.Args[1])
	check(err)
	var name string
	for i := 0; i < 2; i++ {
		check(db.QueryRow(ctx, "SELECT name FROM users WHERE id = $1", 1).Scan(&name))
	}
	batch := &pgx.Batch{}
	for i := 0; i < 3; i++ {
		batch.Queue("INSERT INTO orders (user_id) VALUES ($1)", i)
	}
	check(db.SendBatch(ctx, batch).Close())
	if _, err = db.Exec(ctx, "SELECT * FROM missing"); err == nil {
		panic("no error")
	}
	_, err = db.CopyFrom(ctx, pgx.Identifier{"orders"}, []string{"user_id"}, pgx.CopyFromRows([][]any{{int32(7)}, {int32(8)}}))
	check(err)
	fmt.Println("done")
	io.Copy(io.Discard, input)
	db.Close(ctx)
}
