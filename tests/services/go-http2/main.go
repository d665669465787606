// SPDX-License-Identifier: Apache-2.0
// HTTP/2 without TLS: "serve <port> <folder>" gives out its files; "call <port>" waits for a line, then makes its calls
// on one connection, and waits for another.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func protocols() *http.Protocols {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &p
}

func serve(port, folder string) {
	server := http.Server{Addr: "127.0.0.1:" + port, Protocols: protocols(), Handler: http.FileServer(http.Dir(folder))}
	must(server.ListenAndServe())
}

func calls(port string) {
	lines := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	lines.ReadString('\n')
	client := http.Client{Transport: &http.Transport{Protocols: protocols()}}
	base := "http://127.0.0.1:" + port
	drain := func(answer *http.Response, err error) {
		must(err)
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	drain(client.Get(base + "/small?call=1"))
	var all sync.WaitGroup
	for i := 2; i <= 5; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			drain(client.Get(fmt.Sprintf("%s/small?call=%d", base, i)))
		}()
	}
	all.Wait()
	drain(client.Post(base+"/post?call=6", "text/plain", bytes.NewReader(make([]byte, 12000))))
	fmt.Println("done")
	lines.ReadString('\n')
}

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3])
	} else {
		calls(os.Args[2])
	}
}
