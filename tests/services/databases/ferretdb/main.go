// SPDX-License-Identifier: Apache-2.0
// A server that speaks MongoDB's protocol: FerretDB, which keeps its data in SQLite. Address and folder are given; with a
// certificate and its key behind them it speaks TLS.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	listener := ferretdb.ListenerConfig{TCP: os.Args[1]}
	if len(os.Args) > 4 {
		listener = ferretdb.ListenerConfig{TLS: os.Args[1], TLSCertFile: os.Args[3], TLSKeyFile: os.Args[4]}
	}
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  listener,
		Handler:   "sqlite",
		SQLiteURL: "file:" + os.Args[2] + "/",
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		panic(err)
	}
	if err := server.Run(ctx); err != nil {
		panic(err)
	}
}
