// SPDX-License-Identifier: Apache-2.0
// Waits for a line, sends three orders and reads them with kafka-go; argument: the broker's port.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/segmentio/kafka-go"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	in := bufio.NewReader(os.Stdin)
	in.ReadString('\n')
	broker := "127.0.0.1:" + os.Args[1]
	ctx := context.Background()
	writer := &kafka.Writer{Addr: kafka.TCP(broker), Topic: "orders-go", BatchSize: 1, RequiredAcks: kafka.RequireAll,
		Transport: &kafka.Transport{ClientID: "goshop"}}
	for i := 0; i < 3; i++ {
		check(writer.WriteMessages(ctx, kafka.Message{Key: []byte("key"), Value: []byte(fmt.Sprint("secret", i))}))
	}
	check(writer.Close())
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{broker}, Topic: "orders-go", GroupID: "packers",
		StartOffset: kafka.FirstOffset, MaxWait: 200 * time.Millisecond,
		Dialer: &kafka.Dialer{ClientID: "goshop", Timeout: 10 * time.Second}})
	for i := 0; i < 3; i++ {
		_, err := reader.ReadMessage(ctx)
		check(err)
	}
	check(reader.Close())
	fmt.Println("done")
	io.Copy(io.Discard, in)
}
