// SPDX-License-Identifier: Apache-2.0
// A gRPC service of raw bytes: "serve <port>"; "call <port>" waits for a line, makes a call, waits for another line,
// makes one call of each kind on the same connection, and waits for the last. "load" is for bench/run. With TLS where
// CERTIFICATE (and for a server KEY) names a file.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/status"
)

type raw struct{}

func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = append([]byte{}, data...); return nil }
func (raw) Name() string                       { return "raw" }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func serverCredentials() credentials.TransportCredentials {
	if os.Getenv("CERTIFICATE") == "" {
		return insecure.NewCredentials()
	}
	made, err := credentials.NewServerTLSFromFile(os.Getenv("CERTIFICATE"), os.Getenv("KEY"))
	must(err)
	return made
}

func clientCredentials() credentials.TransportCredentials {
	if os.Getenv("CERTIFICATE") == "" {
		return insecure.NewCredentials()
	}
	made, err := credentials.NewClientTLSFromFile(os.Getenv("CERTIFICATE"), "")
	must(err)
	return made
}

func unary(call func([]byte) ([]byte, error)) grpc.MethodHandler {
	return func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var request []byte
		if err := decode(&request); err != nil {
			return nil, err
		}
		answer, err := call(request)
		return &answer, err
	}
}

func chat(_ any, stream grpc.ServerStream) error {
	for {
		var message []byte
		if err := stream.RecvMsg(&message); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
}

func watch(_ any, stream grpc.ServerStream) error {
	var message []byte
	if err := stream.RecvMsg(&message); err != nil {
		return err
	}
	for i := 0; i < 3; i++ {
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
	return nil
}

func collect(_ any, stream grpc.ServerStream) error {
	var last []byte
	for {
		if err := stream.RecvMsg(&last); err == io.EOF {
			return stream.SendMsg(&last)
		} else if err != nil {
			return err
		}
	}
}

func serve(port string) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	must(err)
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.Creds(serverCredentials()))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "depot.Board", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "Echo", Handler: unary(func(b []byte) ([]byte, error) { return b, nil })},
			{MethodName: "Missing", Handler: unary(func([]byte) ([]byte, error) { return nil, status.Error(codes.NotFound, "none") })},
			{MethodName: "Broken", Handler: unary(func([]byte) ([]byte, error) { return nil, status.Error(codes.Internal, "oops") })},
			{MethodName: "Slow", Handler: unary(func(b []byte) ([]byte, error) { time.Sleep(2 * time.Second); return b, nil })},
		},
		Streams: []grpc.StreamDesc{
			{StreamName: "Chat", Handler: chat, ServerStreams: true, ClientStreams: true},
			{StreamName: "Watch", Handler: watch, ServerStreams: true},
			{StreamName: "Collect", Handler: collect, ClientStreams: true},
		},
	}, nil)
	must(server.Serve(listener))
}

func calls(port string) {
	lines := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	lines.ReadString('\n')
	encoding.RegisterCodec(raw{})
	connection, err := grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(clientCredentials()))
	must(err)
	call := func(method string, size int, limit time.Duration) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		request, answer := make([]byte, size), []byte{}
		connection.Invoke(ctx, "/depot.Board/"+method, &request, &answer, grpc.ForceCodec(raw{}))
	}
	stream := func(description grpc.StreamDesc, messages int) {
		stream, err := connection.NewStream(context.Background(), &description, "/depot.Board/"+description.StreamName, grpc.ForceCodec(raw{}))
		must(err)
		for i := 0; i < messages; i++ {
			message := []byte("hello")
			must(stream.SendMsg(&message))
		}
		must(stream.CloseSend())
		for err == nil {
			var answer []byte
			err = stream.RecvMsg(&answer)
		}
		if err != io.EOF {
			panic(err)
		}
	}
	const long = 20 * time.Second
	call("Echo", 12000, long)
	fmt.Println("begun")
	lines.ReadString('\n')
	call("Echo", 5, long)
	call("Missing", 1, long)
	call("Broken", 1, long)
	call("Unknown", 1, long)
	call("Slow", 1, 300*time.Millisecond)
	for _, isCancelled := range []bool{false, true} {
		ctx, cancel := context.WithCancel(context.Background())
		stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/depot.Board/Chat",
			grpc.ForceCodec(raw{}))
		must(err)
		for i := 0; i < 3; i++ {
			message, answer := []byte("hello"), []byte{}
			must(stream.SendMsg(&message))
			must(stream.RecvMsg(&answer))
		}
		if !isCancelled {
			stream.CloseSend()
			var rest []byte
			stream.RecvMsg(&rest)
		}
		cancel()
	}
	stream(grpc.StreamDesc{StreamName: "Watch", ServerStreams: true}, 1)
	stream(grpc.StreamDesc{StreamName: "Collect", ClientStreams: true}, 3)
	call("Echo", 7, long)
	fmt.Println("done")
	lines.ReadString('\n')
}

func main() {
	switch os.Args[1] {
	case "serve":
		serve(os.Args[2])
	case "load":
		load(os.Args[2], os.Args[3], os.Args[4])
	default:
		calls(os.Args[2])
	}
}
