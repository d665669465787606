// SPDX-License-Identifier: Apache-2.0
// Waits for a line, sends three orders and polls them; argument: the broker's port.
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

public class KafkaClient {
    public static void main(String[] arguments) throws Exception {
        System.in.read();
        Properties settings = new Properties();
        settings.put("bootstrap.servers", "127.0.0.1:" + arguments[0]);
        settings.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        settings.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        settings.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        settings.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        settings.put("auto.offset.reset", "earliest");
        settings.put("group.id", "packers");
        settings.put("client.id", "javashop");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
            for (int i = 0; i < 3; ++i) producer.send(new ProducerRecord<>("orders-java", "key" + i, "secret" + i)).get();
        }
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
            consumer.subscribe(List.of("orders-java"));
            for (int got = 0; got < 3;) got += consumer.poll(Duration.ofMillis(200)).count();
        }
        System.out.println("done");
        System.in.read(new byte[16]);
        while (System.in.read() >= 0) {}
    }
}
