// SPDX-License-Identifier: Apache-2.0
// HTTPS by crypto/tls: "serve <port> <certificate> <key>" answers with five bytes; "call <http/1.1|h2>" reads one line of its input,
// `port certificate connections requests`, and sends on all connections in turns. Each request's path says its connection.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Says more than the client reads, and closes when the client sends something, while the call that says it still waits.
func cut(w http.ResponseWriter, r *http.Request) {
	connection, _, err := w.(http.Hijacker).Hijack()
	must(err)
	go func() {
		size := 64 << 20
		head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		connection.Write(append([]byte(head), make([]byte, size)...))
	}()
	connection.Read(make([]byte, 1))
	connection.Close()
}

func serve(port, certificate, key string) {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", "5")
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		io.WriteString(w, "hello")
	})
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		must(err)
		w.Write(body)
	})
	http.HandleFunc("/cut", cut)
	server := http.Server{Addr: "127.0.0.1:" + port, ErrorLog: log.New(io.Discard, "", 0)}
	must(server.ListenAndServeTLS(certificate, key))
}

func transport(protocol string, roots *x509.CertPool) *http.Transport {
	made := http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxConnsPerHost: 1}
	if protocol == "h2" {
		made.ForceAttemptHTTP2 = true
	} else {
		made.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	return &made
}

func call(protocol string) {
	var port, file string
	var connections, requests int
	_, err := fmt.Scan(&port, &file, &connections, &requests)
	must(err)
	text, err := os.ReadFile(file)
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	clients := make([]*http.Client, connections)
	local := make([]int, connections)
	for i := range clients {
		clients[i] = &http.Client{Transport: transport(protocol, roots)}
	}
	talk := func(number, turn int) {
		request, err := http.NewRequest("GET", fmt.Sprintf("https://localhost:%s/c/%03d/%03d", port, number, turn), nil)
		must(err)
		trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
			local[number] = got.Conn.LocalAddr().(*net.TCPAddr).Port
		}}
		answer, err := clients[number].Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
		must(err)
		_, err = io.Copy(io.Discard, answer.Body)
		must(err)
		answer.Body.Close()
	}
	for turn := 0; turn < requests; turn++ {
		var all sync.WaitGroup
		for number := range clients {
			all.Add(1)
			go func(number int) {
				defer all.Done()
				talk(number, turn)
			}(number)
		}
		all.Wait()
	}
	for number, port := range local {
		fmt.Printf("%03d %d\n", number, port)
	}
}

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3], os.Args[4])
	} else {
		call(os.Args[2])
	}
}
