// SPDX-License-Identifier: Apache-2.0
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

/** A client (tests/e2e/test_clients.py) by HttpClient: each line of its input is a method, a URL, and the size of a body. */
public class Courier {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        for (String line : new String(System.in.readAllBytes()).split("\n")) {
            String[] words = line.split(" ");
            var body = words[0].equals("POST") ? BodyPublishers.ofString("b".repeat(Integer.parseInt(words[2]))) : BodyPublishers.noBody();
            client.send(HttpRequest.newBuilder(URI.create(words[1])).method(words[0], body)
                                .header("User-Agent", "talk/1").build(),
                        BodyHandlers.ofByteArray());
        }
    }
}
