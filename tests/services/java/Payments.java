// SPDX-License-Identifier: Apache-2.0
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.util.Collections;
import java.util.concurrent.Executors;

/** The talk's server (tests/e2e/talk.py) with the JDK's own: java -jar payments-2.1.jar <port> */
public class Payments {
    static void answer(HttpExchange exchange, int status, byte[] body) throws IOException {
        boolean isHead = exchange.getRequestMethod().equals("HEAD");
        if (isHead) exchange.getResponseHeaders().set("Content-Length", "" + body.length);
        exchange.sendResponseHeaders(status, isHead ? -1 : body.length);
        if (!isHead) exchange.getResponseBody().write(body);
        exchange.close();
    }

    static void chunked(HttpExchange exchange, String... pieces) throws IOException {
        exchange.sendResponseHeaders(200, 0);
        try (OutputStream out = exchange.getResponseBody()) {
            for (String piece : pieces) {
                out.write(piece.getBytes());
                out.flush();
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        HttpServer server = HttpServer.create(
                new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 64);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.createContext("/hello", e -> answer(e, 200, "hello".getBytes()));
        server.createContext("/missing", e -> answer(e, 404, "missing".getBytes()));
        server.createContext("/broken", e -> answer(e, 500, "broken".getBytes()));
        server.createContext("/big", e -> answer(e, 200, new byte[1 << 20]));
        server.createContext("/chunked", e -> chunked(e, "one", "two", "three"));
        server.createContext("/stream", e -> chunked(e, Collections.nCopies(64, "y".repeat(1 << 14)).toArray(new String[0])));
        server.createContext("/echo", e -> answer(e, 200, e.getRequestBody().readAllBytes()));
        server.start();
    }
}
