// SPDX-License-Identifier: Apache-2.0
// Calls MariaDB by go-sql-driver when a line comes in: with arguments (prepared, executed, closed), prepared once, in a
// transaction, an error; then waits for the end of its input.
package main

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"os"

	_ "github.com/go-sql-driver/mysql"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	input := bufio.NewReader(os.Stdin)
	input.ReadString('\n')
	db, err := sql.Open("mysql", "shop:pw@tcp(127.0.0.1:"+os.Args[1]+")/shop")
	check(err)
	db.SetMaxOpenConns(1)
	var name string
	for i := 0; i < 2; i++ {
		check(db.QueryRow("SELECT name FROM users WHERE id = ?", 1).Scan(&name))
	}
	statement, err := db.Prepare("SELECT id FROM users WHERE name = ?")
	check(err)
	var id int
	for i := 0; i < 3; i++ {
		check(statement.QueryRow("ann").Scan(&id))
	}
	check(statement.Close())
	transaction, err := db.Begin()
	check(err)
	_, err = transaction.Exec("INSERT INTO orders (user_id) VALUES (?)", 7)
	check(err)
	check(transaction.Commit())
	if _, err = db.Exec("SELECT * FROM missing"); err == nil {
		panic("no error")
	}
	fmt.Println("done")
	io.Copy(io.Discard, input)
}
