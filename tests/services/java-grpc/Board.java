// SPDX-License-Identifier: Apache-2.0
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * A gRPC service of raw bytes by grpc-java: "serve PORT"; "call PORT" waits for a line, makes a call, waits for another line,
 * makes one call of each kind on the same connection, and waits for the last.
 */
public class Board {
    static final MethodDescriptor.Marshaller<byte[]> RAW = new MethodDescriptor.Marshaller<>() {
        public InputStream stream(byte[] value) { return new ByteArrayInputStream(value); }
        public byte[] parse(InputStream stream) {
            try {
                return stream.readAllBytes();
            } catch (IOException error) {
                throw new RuntimeException(error);
            }
        }
    };

    static MethodDescriptor<byte[], byte[]> method(String name, MethodDescriptor.MethodType type) {
        return MethodDescriptor.newBuilder(RAW, RAW).setType(type).setFullMethodName("depot.Board/" + name).build();
    }

    static MethodDescriptor<byte[], byte[]> unary(String name) { return method(name, MethodDescriptor.MethodType.UNARY); }

    static void answer(byte[] value, StreamObserver<byte[]> to) {
        to.onNext(value);
        to.onCompleted();
    }

    static void serve(int port) throws Exception {
        ServerServiceDefinition service = ServerServiceDefinition.builder("depot.Board")
            .addMethod(unary("Echo"), ServerCalls.asyncUnaryCall(Board::answer))
            .addMethod(unary("Missing"), ServerCalls.asyncUnaryCall((r, to) -> to.onError(Status.NOT_FOUND.asException())))
            .addMethod(unary("Broken"), ServerCalls.asyncUnaryCall((r, to) -> to.onError(Status.INTERNAL.asException())))
            .addMethod(unary("Slow"), ServerCalls.asyncUnaryCall((r, to) -> {
                try {
                    Thread.sleep(2000);
                } catch (InterruptedException ignored) {
                    return;
                }
                answer(r, to);
            }))
            .addMethod(method("Chat", MethodDescriptor.MethodType.BIDI_STREAMING), ServerCalls.asyncBidiStreamingCall((StreamObserver<byte[]> to) -> new StreamObserver<byte[]>() {
                public void onNext(byte[] value) { to.onNext(value); }
                public void onError(Throwable error) {}
                public void onCompleted() { to.onCompleted(); }
            }))
            .addMethod(method("Watch", MethodDescriptor.MethodType.SERVER_STREAMING), ServerCalls.asyncServerStreamingCall((r, to) -> {
                for (int i = 0; i < 3; ++i) to.onNext(r);
                to.onCompleted();
            }))
            .addMethod(method("Collect", MethodDescriptor.MethodType.CLIENT_STREAMING), ServerCalls.asyncClientStreamingCall((StreamObserver<byte[]> to) -> new StreamObserver<byte[]>() {
                byte[] last;

                public void onNext(byte[] value) { last = value; }
                public void onError(Throwable error) {}
                public void onCompleted() { answer(last, to); }
            })).build();
        Server server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", port)).addService(service).build().start();
        server.awaitTermination();
    }

    static void call(Channel channel, String name, int size, long limit) {
        try {
            ClientCalls.blockingUnaryCall(channel, unary(name), CallOptions.DEFAULT.withDeadlineAfter(limit, TimeUnit.MILLISECONDS), new byte[size]);
        } catch (StatusRuntimeException expected) {
        }
    }

    static void chat(Channel channel, boolean isCancelled) throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        ClientCalls.asyncBidiStreamingCall(channel.newCall(method("Chat", MethodDescriptor.MethodType.BIDI_STREAMING), CallOptions.DEFAULT),
            new ClientResponseObserver<byte[], byte[]>() {
                ClientCallStreamObserver<byte[]> call;
                int answers;

                public void beforeStart(ClientCallStreamObserver<byte[]> started) {
                    call = started;
                    call.setOnReadyHandler(() -> {
                        if (answers == 0) call.onNext(new byte[5]);
                    });
                }
                public void onNext(byte[] value) {
                    if (++answers < 3) call.onNext(new byte[5]);
                    else if (isCancelled) call.cancel("enough", null);
                    else call.onCompleted();
                }
                public void onError(Throwable error) { over.countDown(); }
                public void onCompleted() { over.countDown(); }
            });
        over.await();
    }

    static void watch(Channel channel) {
        ClientCalls.blockingServerStreamingCall(channel, method("Watch", MethodDescriptor.MethodType.SERVER_STREAMING), CallOptions.DEFAULT,
            new byte[5]).forEachRemaining(answer -> {});
    }

    static void collect(Channel channel) throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        StreamObserver<byte[]> call = ClientCalls.asyncClientStreamingCall(
            channel.newCall(method("Collect", MethodDescriptor.MethodType.CLIENT_STREAMING), CallOptions.DEFAULT), new StreamObserver<byte[]>() {
                public void onNext(byte[] value) {}
                public void onError(Throwable error) { over.countDown(); }
                public void onCompleted() { over.countDown(); }
            });
        for (int i = 0; i < 3; ++i) call.onNext(new byte[5]);
        call.onCompleted();
        over.await();
    }

    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(arguments[1]);
        if (arguments[0].equals("serve")) {
            serve(port);
            return;
        }
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        System.out.println("ready");
        lines.readLine();
        ManagedChannel channel = NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
        final long LONG = 20000;
        call(channel, "Echo", 12000, LONG);
        System.out.println("begun");
        lines.readLine();
        call(channel, "Echo", 5, LONG);
        for (String name : new String[] {"Missing", "Broken", "Unknown"}) call(channel, name, 1, LONG);
        call(channel, "Slow", 1, 300);
        chat(channel, false);
        chat(channel, true);
        watch(channel);
        collect(channel);
        call(channel, "Echo", 7, LONG);
        System.out.println("done");
        lines.readLine();
        System.exit(0);
    }
}
