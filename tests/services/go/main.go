// SPDX-License-Identifier: Apache-2.0

// The talk's server (tests/e2e/talk.py) with net/http: server <port>; without a port the
// client of tests/e2e/test_clients.py; server load: the one of tests/e2e/test_saturation.py.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
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

func pieces(all ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, piece := range all {
			io.WriteString(w, piece)
			w.(http.Flusher).Flush()
		}
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

// Each line of the input is a method, a URL, and the size of a body.
func client() {
	lines, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(lines)), "\n") {
		words := strings.Fields(line)
		size, err := strconv.Atoi(words[2])
		if err != nil {
			panic(err)
		}
		var body io.Reader
		if size > 0 {
			body = strings.NewReader(strings.Repeat("b", size))
		}
		request, err := http.NewRequest(words[0], words[1], body)
		if err != nil {
			panic(err)
		}
		request.Header.Set("User-Agent", "talk/1")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(err)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
}

func main() {
	if len(os.Args) == 1 {
		client()
		return
	}
	if os.Args[1] == "load" {
		load()
		return
	}
	http.HandleFunc("/numbered/", numbered)
	http.Handle("/hello", text(200, "hello"))
	http.Handle("/missing", text(404, "missing"))
	http.Handle("/broken", text(500, "broken"))
	http.Handle("/big", text(200, strings.Repeat("x", 1<<20)))
	http.Handle("/chunked", pieces("one", "two", "three"))
	http.Handle("/stream", pieces(strings.Fields(strings.Repeat(strings.Repeat("y", 1<<14)+" ", 64))...))
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	http.HandleFunc("/relay", relay)
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
