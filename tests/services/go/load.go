// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
)

// The answer's status and size prove whose it is.
func numbered(w http.ResponseWriter, r *http.Request) {
	var number int
	fmt.Sscanf(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], "%d", &number)
	w.Header().Set("Content-Length", fmt.Sprint(sizeOf(number)))
	w.WriteHeader(statusOf(number))
	io.WriteString(w, strings.Repeat("n", sizeOf(number)))
}

func sizeOf(number int) int { return number * 7 % 1999 }

func statusOf(number int) int { return []int{200, 201, 404, 500, 503}[number%5] }

// Each line of the input is the beginning of a URL, or of several with commas between them, which the connections take in
// turn; how many connections; and how many requests: all of them as fast as they go, each with a path of its own. With a
// fourth word the connections are common, and so many of them are kept when nothing is asked on them: others take the
// places of the rest all the time. "done" answers a line. No requests at all: as many as go until the next line comes, and
// how many they were is said behind "done".
func load() {
	lines := make(chan string)
	go func() {
		for all := bufio.NewScanner(os.Stdin); all.Scan(); {
			lines <- all.Text()
		}
		close(lines)
	}()
	for line := range lines {
		var urls string
		var connections, requests int64
		var kept int
		words, err := fmt.Sscan(line, &urls, &connections, &requests, &kept)
		if words < 3 {
			panic(err)
		}
		common := &http.Transport{MaxIdleConnsPerHost: kept}
		var next, end, asked atomic.Int64
		end.Store(requests)
		if requests == 0 {
			end.Store(math.MaxInt64)
		}
		var all sync.WaitGroup
		for i := int64(0); i < connections; i++ {
			all.Add(1)
			url := strings.Split(urls, ",")[int(i)%(1+strings.Count(urls, ","))]
			go func() {
				defer all.Done()
				transport := &http.Transport{MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1}
				if words > 3 {
					transport = common
				}
				defer transport.CloseIdleConnections()
				client := http.Client{Transport: transport}
				for number := next.Add(1) - 1; number < end.Load(); number = next.Add(1) - 1 {
					ask(&client, url, int(number))
					asked.Add(1)
				}
			}()
		}
		if requests == 0 {
			<-lines
			end.Store(0)
		}
		all.Wait()
		if requests == 0 {
			fmt.Println("done", asked.Load())
		} else {
			fmt.Println("done")
		}
	}
}

func ask(client *http.Client, url string, number int) {
	answer, err := client.Get(fmt.Sprintf("%s/%d", url, number))
	if err != nil {
		panic(err)
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || len(body) != sizeOf(number) || answer.StatusCode != statusOf(number) {
		panic(fmt.Sprint(number, answer.Status, len(body), err))
	}
}
