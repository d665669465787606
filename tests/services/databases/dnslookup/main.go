// SPDX-License-Identifier: Apache-2.0
// Looks a name up by Go's own resolver and prints its addresses.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
)

func main() {
	resolver := net.Resolver{PreferGo: true}
	addresses, err := resolver.LookupHost(context.Background(), os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(addresses)
}
