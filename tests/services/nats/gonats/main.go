// SPDX-License-Identifier: Apache-2.0
// Speaks NATS by its client for Go when a line comes in: answered publishes, a request; then waits for the end of its input.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nats-io/nats.go"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	in := bufio.NewReader(os.Stdin)
	in.ReadString('\n')
	connection, err := nats.Connect("nats://127.0.0.1:"+os.Args[1], func(o *nats.Options) error { o.Verbose = true; return nil })
	check(err)
	_, err = connection.Subscribe("price", func(m *nats.Msg) { m.Respond([]byte("secret")) })
	check(err)
	check(connection.Flush())
	for i := 0; i < 10; i++ {
		check(connection.Publish("orders.new", []byte("secret")))
	}
	check(connection.Flush())
	_, err = connection.Request("price", []byte("secret"), 10*time.Second)
	check(err)
	check(connection.Flush())
	connection.Close()
	fmt.Println("done")
	io.ReadAll(in)
}
