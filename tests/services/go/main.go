// SPDX-License-Identifier: Apache-2.0

// The talk's server (tests/e2e/talk.py) with net/http; with a second argument a client that gets
// each of the URLs given.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// Several at once, each on a goroutine that moves between threads.
func relay(w http.ResponseWriter, r *http.Request) {
	answer, err := http.Get(r.URL.Query().Get("to"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	io.Copy(w, answer.Body)
}

func main() {
	if len(os.Args) > 2 {
		for _, url := range os.Args[2:] {
			answer, err := http.Get(url)
			if err != nil {
				panic(err)
			}
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		return
	}
	http.Handle("/hello", text(200, "hello"))
	http.Handle("/missing", text(404, "missing"))
	http.Handle("/broken", text(500, "broken"))
	http.Handle("/big", text(200, strings.Repeat("x", 1<<20)))
	http.HandleFunc("/chunked", func(w http.ResponseWriter, r *http.Request) {
		for _, piece := range []string{"one", "two", "three"} {
			io.WriteString(w, piece)
			w.(http.Flusher).Flush()
		}
	})
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	http.HandleFunc("/relay", relay)
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
