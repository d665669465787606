// SPDX-License-Identifier: Apache-2.0
// Waits for a line, sends three orders and reads them with Sarama; argument: the broker's port.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/IBM/sarama"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// Reads three, then ends the group's session.
type reader struct {
	left int
	stop context.CancelFunc
}

func (*reader) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*reader) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (r *reader) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		session.MarkMessage(message, "")
		if r.left--; r.left == 0 {
			r.stop()
		}
	}
	return nil
}

func main() {
	in := bufio.NewReader(os.Stdin)
	in.ReadString('\n')
	const topic = "orders-sarama"
	brokers := []string{"127.0.0.1:" + os.Args[1]}
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.ClientID = "saramashop"
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	producer, err := sarama.NewSyncProducer(brokers, config)
	check(err)
	for i := 0; i < 3; i++ {
		_, _, err = producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("key"),
			Value: sarama.StringEncoder(fmt.Sprint("secret", i))})
		check(err)
	}
	check(producer.Close())
	group, err := sarama.NewConsumerGroup(brokers, "packers", config)
	check(err)
	ctx, stop := context.WithCancel(context.Background())
	check(group.Consume(ctx, []string{topic}, &reader{left: 3, stop: stop}))
	check(group.Close())
	fmt.Println("done")
	io.Copy(io.Discard, in)
}
