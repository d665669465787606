// SPDX-License-Identifier: Apache-2.0
// Calls Redis by go-redis when a line comes in, then waits for the end of its input.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/redis/go-redis/v9"
)

func main() {
	input := bufio.NewReader(os.Stdin)
	input.ReadString('\n')
	ctx := context.Background()
	db := redis.NewClient(&redis.Options{Addr: os.Args[1], PoolSize: 1, DisableIndentity: true})
	if err := db.Set(ctx, "basket", "secret", 0).Err(); err != nil {
		panic(err)
	}
	db.Get(ctx, "basket")
	db.LPush(ctx, "basket", "x")
	db.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := 0; i < 20; i++ {
			pipe.Incr(ctx, "n")
		}
		return nil
	})
	fmt.Println("done")
	io.Copy(io.Discard, input)
}
