// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// load makes unary calls on one connection as fast as they are answered, and prints how many, for how long, and p50 and
// p99 in microseconds.
func load(port string, seconds string, callers string) {
	connection, err := grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(err)
	length, err := strconv.Atoi(seconds)
	must(err)
	count, err := strconv.Atoi(callers)
	must(err)
	call := func() {
		request, answer := []byte("hello"), []byte{}
		must(connection.Invoke(context.Background(), "/depot.Board/Echo", &request, &answer, grpc.ForceCodec(raw{})))
	}
	call()
	begin := time.Now()
	end := begin.Add(time.Duration(length) * time.Second)
	times := make([][]time.Duration, count)
	var all sync.WaitGroup
	for i := range times {
		all.Add(1)
		go func(mine *[]time.Duration) {
			defer all.Done()
			for now := time.Now(); now.Before(end); {
				call()
				next := time.Now()
				*mine = append(*mine, next.Sub(now))
				now = next
			}
		}(&times[i])
	}
	all.Wait()
	took := time.Since(begin)
	every := slices.Concat(times...)
	slices.Sort(every)
	at := func(share float64) float64 { return float64(every[int(share*float64(len(every)-1))].Nanoseconds()) / 1000 }
	fmt.Printf("%d %.3f %.1f %.1f\n", len(every), took.Seconds(), at(0.5), at(0.99))
}
